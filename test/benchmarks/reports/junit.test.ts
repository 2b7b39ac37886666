import { expect, test } from 'vitest';
import { parseJunit } from '#benchmarks/reports/junit.ts';

const FROM_PYTEST = `<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="5"><testcase classname="test_rec.RecTest" name="test_bad" time="0.001"><failure message="AssertionError: 1 != 2 : one - two">self = &lt;test_rec.RecTest testMethod=test_bad&gt;</failure></testcase><testcase classname="test_rec.RecTest" name="test_ok" time="0.000" /><testcase classname="test_rec.RecTest" name="test_skipped" time="0.000"><skipped type="pytest.skip" message="later">test_rec.py:5: later</skipped></testcase><testcase classname="test_rec" name="test_p[a &quot;b&quot; &#233;]" time="0.001"></testcase><testcase classname="test_rec" name="test_error"><error message="failed on setup">x</error></testcase></testsuite></testsuites>`;

const FROM_NODE = `noise before <b>
<testsuites>
	<testcase name="one" time="0.000977" classname="test" file="a.test.js"/>
	<testcase name="two" classname="test" failure="Expected name=&quot;x&quot; 1 !== 2&#10;">
		<failure type="testCodeFailure" message="1 !== 2">
[Error] { at TestContext.&lt;anonymous> (a.test.js:4:41) }
		</failure>
	</testcase>
	<testsuite name="group" tests="1">
		<testcase name="inner" classname="group"/>
	</testsuite>
	<!-- <testcase name="commented out"/> -->
	<system-out><![CDATA[<testcase name="printed"/>]]></system-out>
</testsuites>`;

test('reads what pytest writes', () => {
  expect([...parseJunit(FROM_PYTEST)]).toEqual([
    ['test_rec.RecTest > test_bad', 'failed'],
    ['test_rec.RecTest > test_ok', 'passed'],
    ['test_rec.RecTest > test_skipped', 'skipped'],
    ['test_rec > test_p[a "b" é]', 'passed'],
    ['test_rec > test_error', 'failed'],
  ]);
});

test('reads what node writes, without comments and CDATA', () => {
  expect([...parseJunit(FROM_NODE)]).toEqual([
    ['test > one', 'passed'],
    ['test > two', 'failed'],
    ['group > inner', 'passed'],
  ]);
});

test('a test that the report breaks off in failed', () => {
  expect([...parseJunit('<testcase name="a"><system-out>')]).toEqual([['a', 'failed']]);
});

test('hostile text takes no longer than other text', () => {
  for (const part of ['<![CDATA[', '<!--', '<a "', "<testcase name='", '<a<a<', '&#99999999;']) {
    const startMs = performance.now();
    parseJunit(part.repeat(50_000));
    expect(performance.now() - startMs, part).toBeLessThan(2_000);
  }
});
