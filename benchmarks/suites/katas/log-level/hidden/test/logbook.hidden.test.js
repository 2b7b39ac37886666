import assert from 'node:assert/strict';
import test from 'node:test';
import { dedupe } from '../src/filters/dedupe.js';
import { sampling } from '../src/filters/sampling.js';
import { threshold } from '../src/filters/threshold.js';
import { color } from '../src/formats/color.js';
import { json } from '../src/formats/json.js';
import { syslog } from '../src/formats/syslog.js';
import { text } from '../src/formats/text.js';
import { createLogger } from '../src/logger.js';
import { counter } from '../src/sinks/counter.js';
import { split } from '../src/sinks/split.js';

const now = () => '12:00:01';
const record = (level, message = 'hello') => ({ time: now(), level, message });

function passing(filter, records) {
  const passed = [];
  const sink = filter((each) => passed.push(`${each.level} ${each.message}`));
  for (const each of records) sink(each);
  return passed;
}

test('the logger writes level and no lvl', () => {
  const records = [];
  createLogger({ sink: (each) => records.push(each), now }).error('oh');
  assert.deepEqual(records, [{ time: '12:00:01', level: 'error', message: 'oh' }]);
});

test('the threshold goes by level', () => {
  assert.deepEqual(passing((sink) => threshold('warn', sink), [record('info'), record('error')]), ['error hello']);
});

test('sampling keeps errors', () => {
  assert.deepEqual(passing((sink) => sampling(2, sink), [record('error'), record('info', 'b'), record('info')]), ['error hello', 'info b']);
});

test('the same message at another level is another record', () => {
  assert.deepEqual(passing(dedupe, [record('info'), record('info'), record('warn')]), ['info hello', 'warn hello']);
});

test('text shows the level', () => {
  assert.equal(text({ ...record('warn'), port: 80 }), '12:00:01 WARN  hello port=80');
});

test('colours go by level', () => {
  assert.equal(color(record('error')), '\u001b[31mhello\u001b[0m');
  assert.equal(color(record('info')), 'hello');
});

test('syslog has the severity of the level', () => {
  assert.equal(syslog(record('fatal')), '<130>hello');
});

test('bad news are split off', () => {
  const [bad, other] = [[], []];
  const sink = split((each) => bad.push(each.level), (each) => other.push(each.level));
  for (const level of ['info', 'error', 'fatal']) sink(record(level));
  assert.deepEqual([bad, other], [['error', 'fatal'], ['info']]);
});

test('levels are counted', () => {
  const { sink, counts } = counter();
  for (const level of ['info', 'error', 'info']) sink(record(level));
  assert.deepEqual(counts, { info: 2, error: 1 });
});

test('JSON is what the record is', () => {
  assert.equal(json({ level: 'info', message: 'a' }), '{"level":"info","message":"a"}');
});
