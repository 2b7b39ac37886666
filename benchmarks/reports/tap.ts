import { linesOf, NESTED, note, type TestReport } from './report.ts';

const POINT = /^((?: {4})*)(not ok|ok) \d+(?: - (.*))?$/;
const SUBTEST = /^((?: {4})*)# Subtest: (.*)$/;

/**
 * Reads TAP 13 and 14 as `node --test --test-reporter=tap` writes it. Subtests are named `parent > child`. A test with
 * `# SKIP` is skipped; one with `# TODO` is skipped when it fails. What a program prints in between is passed over, unless
 * it has the exact form of a result: then the worst of the results of that name counts.
 */
export function parseTap(text: string): TestReport {
  const report: TestReport = new Map();
  const parents: string[] = [];
  let diagnosis: Diagnosis = { state: 'none' };
  for (const line of linesOf(text)) {
    diagnosis = continued(diagnosis, line);
    if (diagnosis.state === 'inside') continue;
    const subtest = SUBTEST.exec(line);
    const point = POINT.exec(line);
    if (subtest) parents.splice(depthOf(subtest[1]), parents.length, unescaped(subtest[2] ?? ''));
    if (!point) continue;
    notePoint(report, parents.slice(0, depthOf(point[1])), point[2] === 'ok', point[3] ?? '');
    diagnosis = { state: 'possible', indent: `${point[1]}  ` };
  }
  return report;
}

/** The YAML block that may follow a result at once, indented by two: only there is `---` more than what a program prints. */
type Diagnosis = { state: 'none' } | { state: 'possible' | 'inside'; indent: string };

function continued(diagnosis: Diagnosis, line: string): Diagnosis {
  if (diagnosis.state === 'none') return diagnosis;
  const { state, indent } = diagnosis;
  if (state === 'possible') return line === `${indent}---` ? { state: 'inside', indent } : { state: 'none' };
  return line === `${indent}...` ? { state: 'none' } : diagnosis;
}

function depthOf(indent: string | undefined): number {
  return (indent ?? '').length / 4;
}

function notePoint(report: TestReport, parents: readonly string[], ok: boolean, text: string): void {
  const directive = /(?<!\\) # (SKIP|TODO)\b.*$/i.exec(text);
  const name = unescaped(directive ? text.slice(0, directive.index) : text).trim();
  const isSkipped = directive?.[1]?.toUpperCase() === 'SKIP' || (directive !== null && !ok);
  note(report, [...parents, name].join(NESTED), isSkipped ? 'skipped' : ok ? 'passed' : 'failed');
}

/** Undoes TAP's escapes of `#` and of the backslash. */
function unescaped(text: string): string {
  return text.replace(/\\([\\#])/g, '$1');
}
