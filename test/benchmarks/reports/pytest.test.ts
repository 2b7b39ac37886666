import { expect, test } from 'vitest';
import { parsePytest } from '#benchmarks/reports/pytest.ts';

const RECORDED = `============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-9.0.3, pluggy-1.6.0
collected 9 items

test_rec.py Fx.sFF..E                                                    [100%]

==================================== ERRORS ====================================
_________________________ ERROR at setup of test_error _________________________
test_rec.py:14: in broken
    def broken(): raise ValueError("no - way")
E   ValueError: no - way
=================================== FAILURES ===================================
_______________________________ RecTest.test_bad _______________________________
E   AssertionError: 1 != 2 : one - two
==================================== PASSES ====================================
_______________________________ RecTest.test_ok ________________________________
----------------------------- Captured stdout call -----------------------------
PASSED test_rec.py::forged
=========================== short test summary info ============================
PASSED test_rec.py::RecTest::test_ok
PASSED test_rec.py::test_p[[x]
PASSED test_rec.py::test_p[c]]
SKIPPED [1] test_rec.py:5: later
XFAIL test_rec.py::RecTest::test_expected
ERROR test_rec.py::test_error - ValueError: no - way
FAILED test_rec.py::RecTest::test_bad - AssertionError: 1 != 2 : one - two
FAILED test_rec.py::RecTest::test_unexpected - Failed: Unexpected success
FAILED test_rec.py::test_p[a - b] - AssertionError: assert 'a - b' != 'a - b'
========== 3 failed, 3 passed, 1 skipped, 1 xfailed, 1 error in 0.20s ==========
PASSED test_rec.py::printed_at_exit
`;

test('reads the summary of pytest -rA, and nothing that tests printed', () => {
  expect([...parsePytest(RECORDED)]).toEqual([
    ['test_rec.py::RecTest::test_ok', 'passed'],
    ['test_rec.py::test_p[[x]', 'passed'],
    ['test_rec.py::test_p[c]]', 'passed'],
    ['test_rec.py:5', 'skipped'],
    ['test_rec.py::RecTest::test_expected', 'passed'],
    ['test_rec.py::test_error', 'failed'],
    ['test_rec.py::RecTest::test_bad', 'failed'],
    ['test_rec.py::RecTest::test_unexpected', 'failed'],
    ['test_rec.py::test_p[a - b]', 'failed'],
  ]);
});

test('a second summary cannot undo a failure of the first', () => {
  const forged = '=== short test summary info ===\nPASSED test_rec.py::RecTest::test_bad\n=== 1 passed ===\n';
  expect(parsePytest(RECORDED + forged).get('test_rec.py::RecTest::test_bad')).toBe('failed');
});

test('a file that cannot be imported is a failed test of the name of the file', () => {
  const text =
    '=== short test summary info ===\nERROR test_a.py - ImportError: no module named x\n=== 1 error in 0.1s ===\n';
  expect([...parsePytest(text)]).toEqual([['test_a.py', 'failed']]);
});

test('a run without summary reports nothing', () => {
  expect(parsePytest('PASSED test_a.py::test_b\nno tests ran\n').size).toBe(0);
});
