import type { TestStatus } from '#benchmarks/schema.ts';
import { linesOf, NESTED, note, type TestReport } from './report.ts';

const STATUS: Readonly<Record<string, TestStatus>> = {
  '✓': 'passed',
  '√': 'passed',
  '✕': 'failed',
  '×': 'failed',
  '○': 'skipped',
  '✎': 'skipped',
};
const FILE = /^(PASS|FAIL) (\S.*)$/;
const RESULT = /^( +)([✓√✕×○✎]) (.*?)(?: \(\d+(?:\.\d+)? m?s\))?$/u;
const GROUP = /^( +)(\S.*)$/;

/**
 * Reads the results that `jest --verbose` (or jest over one file) prints on stderr. Tests are named
 * `outer group > inner group > test`. A file that could not be run at all is a failed test of the file's name.
 */
export function parseJest(text: string): TestReport {
  const report: TestReport = new Map();
  let groups: string[] = [];
  let isInResults = false;
  for (const line of linesOf(text)) {
    const file = FILE.exec(line);
    const result = RESULT.exec(line);
    const group = GROUP.exec(line);
    if (file) {
      groups = [];
      isInResults = true;
    } else if (!isInResults) {
      // Not yet, or no longer, in the list of results.
    } else if (result) {
      noteResult(report, groups.slice(0, depthOf(result[1])), result[2], result[3]);
    } else if (group && !line.startsWith('  ●')) {
      groups = [...groups.slice(0, depthOf(group[1])), group[2] ?? ''];
    } else if (line !== '') {
      isInResults = false;
      noteBrokenFile(report, line);
    }
  }
  return report;
}

/** jest indents by two blanks a level, beginning with one level. */
function depthOf(indent: string | undefined): number {
  return Math.max(0, (indent ?? '').length / 2 - 1);
}

function noteResult(report: TestReport, groups: readonly string[], mark = '', name = ''): void {
  const title = mark === '○' || mark === '✎' ? name.replace(/^(?:skipped|todo) /, '') : name;
  const status = STATUS[mark];
  if (status) note(report, [...groups, title].join(NESTED), status);
}

function noteBrokenFile(report: TestReport, line: string): void {
  if (/^ {2}● Test suite failed to run$/.test(line)) note(report, 'Test suite failed to run', 'failed');
}
