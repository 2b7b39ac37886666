import { describe, expect, it } from 'vitest';
import { withoutReadings } from '#services/gateway/readings.ts';

const begunMs = Date.UTC(2026, 2, 9, 14, 0);
const span = { fromMs: begunMs, toMs: begunMs + 2 * 3_600_000 };

/** The same program, run twice within the time of a run. */
const printedTwice: [what: string, first: string, second: string][] = [
  ['date', 'Mon Mar  9 14:10:57 UTC 2026', 'Mon Mar  9 15:00:03 UTC 2026'],
  ['date -R', 'Mon, 09 Mar 2026 14:10:57 +0000', 'Mon, 09 Mar 2026 15:00:03 +0000'],
  ['date -Iseconds', '2026-03-09T14:10:57+00:00', '2026-03-09T15:00:03+00:00'],
  ['date elsewhere', '2026-03-09T16:10:57+02:00', '2026-03-09T17:00:03+02:00'],
  ['date +%s', '1773065457', '1773068403'],
  ['Date.now()', '{"at":1773065457123}', '{"at":1773068403001}'],
  ['date +%s%N', '1773065457123456789', '1773068403001234567'],
  [
    'new Date()',
    'Mon Mar 09 2026 14:10:57 GMT+0000 (Coordinated Universal Time)',
    'Mon Mar 09 2026 15:00:03 GMT+0000 (Coordinated Universal Time)',
  ],
  ['toISOString', '2026-03-09T14:10:57.123Z', '2026-03-09T15:00:03.001Z'],
  ['a log', '[14:10:57] begun\n[14:10:58,250] done', '[15:00:03] begun\n[15:00:04,100] done'],
  ['ls -l', '-rw-r--r-- 1 root root 12 Mar  9 14:10 a.txt', '-rw-r--r-- 1 root root 12 Mar  9 15:00 a.txt'],
  ['ls --full-time', '12 2026-03-09 14:10:57.123456789 +0000 a.txt', '12 2026-03-09 15:00:03.001234567 +0000 a.txt'],
  ['git log', 'Date:   Mon Mar 9 14:10:57 2026 +0000', 'Date:   Mon Mar 9 15:00:03 2026 +0000'],
  ['stat', 'Device: 0,83\tInode: 2507429     Links: 1', 'Device: 254,0\tInode: 18     Links: 1'],
  ['node:test', '✔ adds (1.214417ms)\nℹ duration_ms 61.2', '✔ adds (0.8ms)\nℹ duration_ms 120.77'],
  ['node:test as TAP', 'ok 1 - adds\n  ---\n  duration_ms: 1.2\n', 'ok 1 - adds\n  ---\n  duration_ms: 12.25\n'],
  ['pytest', '=== 2 failed, 3 passed in 0.12s ===', '=== 2 failed, 3 passed in 1.07s ==='],
  ['unittest', 'Ran 3 tests in 0.001s', 'Ran 3 tests in 0.012s'],
  [
    'go',
    'ok  \texample.com/m\t0.003s\n--- FAIL: TestA (0.00s)',
    'ok  \texample.com/m\t0.011s\n--- FAIL: TestA (0.02s)',
  ],
  ['cargo', 'test result: ok. 3 passed; finished in 0.00s', 'test result: ok. 3 passed; finished in 0.03s'],
  [
    'gtest',
    '[       OK ] A.B (0 ms)\n[==========] 3 tests ran. (0 ms total)',
    '[       OK ] A.B (2 ms)\n[==========] 3 tests ran. (5 ms total)',
  ],
  ['jest', '  ✓ adds (5 ms)\nTime:        1.234 s, estimated 2 s', '  ✓ adds (1 ms)\nTime:        0.9 s'],
  [
    'vitest',
    ' ✓ test/a.test.ts (3 tests) 5ms\n   Duration  310ms (transform 20ms, setup 0ms)',
    ' ✓ test/a.test.ts (3 tests) 17ms\n   Duration  1.20s (transform 31ms, setup 0ms)',
  ],
  ['mocha', '  12 passing (34ms)', '  12 passing (1s)'],
  ['gradle', 'BUILD SUCCESSFUL in 2s', 'BUILD SUCCESSFUL in 1m 3s'],
  ['maven', 'Tests run: 3, Time elapsed: 0.05 s', 'Tests run: 3, Time elapsed: 0.11 s'],
  ['ctest', '1/1 Test #1: a ....   Passed    0.01 sec', '1/1 Test #1: a ....   Passed    0.22 sec'],
  ['an object in Python', '<object object at 0x7f3a5c0d4a10>', '<object object at 0x7f11020d4a10>'],
  ['a warning of Node', '(node:1234) Warning: old', '(node:77) Warning: old'],
];

describe('what another run prints differently and nobody acts on', () => {
  it.each(printedTwice)('is taken out of the output of %s', (_, first, second) => {
    expect(withoutReadings(first, span)).toBe(withoutReadings(second, span));
  });
});

/** Pairs that are different questions. */
const different: [what: string, first: string, second: string][] = [
  ['times outside of the run', 'due 2026-03-09T11:00:00Z', 'due 2026-03-09T12:00:00Z'],
  ['times of a day outside of the run', 'opens 08:00:00', 'opens 09:00:00'],
  ['days', 'due 2026-03-09', 'due 2026-03-10'],
  ['numbers as long as a time', 'id 1773105457', 'id 1773108403'],
  ['a program that is timed', 'real\t0m1.2s', 'real\t0m9.2s'],
  ['what a benchmark measures', 'kernel: 1.21 ms, 3.1x', 'kernel: 9.9 ms, 0.4x'],
  ['times within code', 'setTimeout(f, 100); // 100 ms', 'setTimeout(f, 900); // 900 ms'],
  ['how many tests passed', 'Ran 3 tests in 0.001s', 'Ran 4 tests in 0.001s'],
  ['which test failed', 'not ok 1 - adds (1.2ms)', 'not ok 1 - subtracts (1.2ms)'],
  ['names of files', '/tmp/tmp.x3yQ1zAbCd', '/tmp/tmp.q9TTk2LmNo'],
  ['ids of processes that one may end', 'server started, pid 1234', 'server started, pid 77'],
  ['hashes of commits', '[main 1a2b3c4] fix', '[main 9f8e7d6] fix'],
  ['constants', '0xcbf29ce484222325', '0x100000001b3'],
  ['versions and ratios', '1.2.3 10:20 16/9', '1.2.4 10:21 16/9'],
];

describe('what a model may act on', () => {
  it.each(different)('stays, such as %s', (_, first, second) => {
    expect(withoutReadings(first, span)).not.toBe(withoutReadings(second, span));
  });

  it('comes to an end with texts that are made to be slow', () => {
    const hostile = [
      'ok 1 (',
      ' 1',
      '9',
      '2026-',
      'Mon Mar ',
      ' ',
      '\t',
      '(',
      '0.',
      'passed in ',
      'ok x ',
      '✔ 1 ',
      '12:',
    ];
    for (const piece of hostile) {
      const text = piece.repeat(400_000 / piece.length);
      expect(withoutReadings(`ok ${text}`, span).length).toBeGreaterThan(0);
    }
  });
});
