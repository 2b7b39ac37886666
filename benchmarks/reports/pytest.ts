import type { TestStatus } from '#benchmarks/schema.ts';
import { linesOf, note, type TestReport } from './report.ts';

const STATUS: Readonly<Record<string, TestStatus>> = {
  PASSED: 'passed',
  XFAIL: 'passed',
  XPASS: 'passed',
  FAILED: 'failed',
  ERROR: 'failed',
  SKIPPED: 'skipped',
};
const SUMMARY = /^=+ short test summary info =+$/;
const RULE = /^=+ .* =+$/;
const RESULT = /^(PASSED|XFAIL|XPASS|FAILED|ERROR|SKIPPED)(?: \[\d+\])? (.+)$/;

/**
 * Reads what `pytest -rA` prints below `short test summary info`: node ids such as `test_a.py::TestB::test_c[x - y]`.
 * Expected failures and tolerated passes count as passed. Skipped tests are named by their place (`test_a.py:12`), as pytest
 * does not print their ids. Should there be several summaries, all count, and the worst of the results of a name.
 */
export function parsePytest(text: string): TestReport {
  const report: TestReport = new Map();
  let isInSummary = false;
  for (const line of linesOf(text)) {
    if (RULE.test(line)) isInSummary = SUMMARY.test(line);
    const [, word = '', rest = ''] = (isInSummary && RESULT.exec(line)) || [];
    const status = STATUS[word];
    if (status) note(report, status === 'skipped' ? placeOf(rest) : nodeIdOf(rest), status);
  }
  return report;
}

/** The id without the reason that follows ` - `; a ` - ` inside the brackets of a parameter belongs to the id. */
function nodeIdOf(text: string): string {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '[') depth += 1;
    else if (text[at] === ']') depth = Math.max(0, depth - 1);
    else if (depth === 0 && text.startsWith(' - ', at)) return text.slice(0, at);
  }
  // A bracket that is never closed was no parameter's: then the first mark ends the id.
  return depth === 0 ? text : (text.split(' - ')[0] ?? text);
}

function placeOf(text: string): string {
  return /^(.+?:\d+)(?:: |$)/.exec(text)?.[1] ?? nodeIdOf(text);
}
