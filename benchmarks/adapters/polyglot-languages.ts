import { NESTED } from '#benchmarks/reports/report.ts';
import type { ReportKind } from '#benchmarks/schema.ts';

/** How the exercises of one language are tested, without a network. */
export interface Language {
  report: ReportKind;
  command: (tests: readonly string[]) => string[];
  /** Turns on the tests that exercises ship turned off, as the benchmark's own runner does. */
  enableTests: (text: string) => string;
  /**
   * The names of all tests as the report has them, read from the (enabled) source. None when they cannot be told for sure:
   * then the exit code decides, together with a report in which something passed and nothing failed.
   */
  testNames: (tests: readonly { path: string; text: string }[]) => string[];
}

/** The languages whose tests can be run, by the name of their folder. */
export const languages: ReadonlyMap<string, Language> = new Map([
  [
    'javascript',
    {
      report: 'jest',
      // jest's own limit of 5 s a test would make verdicts depend on how busy the machine is; the task's limit stays.
      command: (tests) => [
        'jest',
        '--testTimeout=60000',
        '--ci',
        '--verbose',
        '--runInBand',
        '--cacheDirectory=/tmp/jest',
        '--runTestsByPath',
        ...tests,
      ],
      // `xit` and `test.skip` stay off, as there: they mark optional and slow tests.
      enableTests: (text) => text.replace(/\bxtest\(/g, 'test('),
      testNames: (tests) => tests.flatMap(({ text }) => jestNames(text)),
    },
  ],
  [
    'python',
    {
      report: 'pytest',
      // The program itself: `python3 -m` would look for a module of that name in the workspace first.
      command: (tests) => ['pytest', '-rA', '--tb=long', '-p', 'no:cacheprovider', ...tests],
      enableTests: (text) => text,
      testNames: (tests) => tests.flatMap(({ path, text }) => pytestNames(path, text)),
    },
  ],
]);

const JEST_CALL = /(?<![\w.])(describe|test|it|xit|xdescribe|xtest)(?:\.\w+)*\s*\(/g;
const JEST_TITLE =
  /^( *)(describe|test|it|xit|test\.skip|it\.skip)\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")\s*,/gm;

/** Titles by the indentation that Prettier gives the calls. */
function jestNames(text: string): string[] {
  const names: string[] = [];
  const groups: { depth: number; title: string }[] = [];
  let calls = 0;
  for (const [, indent = '', call, single, double = ''] of text.matchAll(JEST_TITLE)) {
    const title = (single ?? double).replace(/\\(.)/g, '$1');
    while ((groups.at(-1)?.depth ?? -1) >= indent.length) groups.pop();
    if (call === 'describe') groups.push({ depth: indent.length, title });
    else if (call === 'test' || call === 'it') names.push([...groups.map((group) => group.title), title].join(NESTED));
    calls += 1;
  }
  return calls === [...text.matchAll(JEST_CALL)].length && !/\.forEach\(|\bfor \(/.test(groupBodies(text)) ? names : [];
}

/** The text outside of tests, as far as indentation tells: where a loop could make tests that no title names. */
function groupBodies(text: string): string {
  return text
    .replace(/^( *)(?:test|it|xit|test\.skip)\([\s\S]*?^\1\}?\)?[^\n]*;$/gm, '')
    .replace(/^const [\s\S]*?^\S.*$/gm, '');
}

/** Methods `test_...` of classes that are test cases by their base; a name that is defined twice is one test. */
function pytestNames(path: string, text: string): string[] {
  if (/@(?:unittest|pytest)\b|parametrize/.test(text)) return [];
  const names = new Set<string>();
  let group = '';
  for (const [, name, method] of text.matchAll(/^(?:class (\w+)\(.*TestCase\):|[ ]{4}def (test_\w+)\()/gm)) {
    if (name !== undefined) group = name;
    else if (group !== '') names.add(`${path}::${group}::${method}`);
  }
  return [...names];
}
