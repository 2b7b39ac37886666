import assert from 'node:assert/strict';
import test from 'node:test';
import { redact } from '../src/filters/redact.js';
import { createLogger } from '../src/logger.js';
import { memory } from '../src/sinks/memory.js';

const now = () => '12:00:01';

test('records have time and message', () => {
  const { sink, records } = memory();
  createLogger({ sink, now }).info('started', { port: 80 });
  assert.equal(records[0].time, '12:00:01');
  assert.equal(records[0].message, 'started');
  assert.equal(records[0].port, 80);
});

test('unknown levels are refused', () => {
  assert.throws(() => createLogger({ sink: () => {}, now }).log('loud', 'hello'), /unknown level: loud/);
});

test('secrets are hidden', () => {
  const { sink, records } = memory();
  createLogger({ sink: redact(['password'], sink), now }).info('login', { password: 'x' });
  assert.equal(records[0].password, '***');
});

test('memory is bounded', () => {
  const { sink, records } = memory(2);
  const logger = createLogger({ sink, now });
  for (const message of ['a', 'b', 'c']) logger.info(message);
  assert.deepEqual(records.map((record) => record.message), ['b', 'c']);
});
