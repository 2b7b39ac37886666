import type { TestStatus } from '#benchmarks/schema.ts';

/** What a test command's report says: test name -> status, in the order of the report. */
export type TestReport = Map<string, TestStatus>;

/** Names of nested tests are joined by this. */
export const NESTED = ' > ';

/** Notes a result. Of several results of one name the worst counts: failed, then skipped, then passed. */
export function note(report: TestReport, name: string, status: TestStatus): void {
  const known = report.get(name);
  if (known === 'failed' || (known === 'skipped' && status === 'passed')) return;
  report.set(name, status);
}

/** Lines of a report without terminal colours, whatever ends them. */
export function linesOf(text: string): string[] {
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').split(/\r\n|\n|\r/);
}
