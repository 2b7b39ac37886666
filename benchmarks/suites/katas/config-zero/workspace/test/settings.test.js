import assert from 'node:assert/strict';
import test from 'node:test';
import { settings } from '../src/settings.js';

const SHAPE = {
  port: { kind: 'number', default: 8080 },
  logLevel: { kind: 'text', default: 'info' },
  quiet: { kind: 'boolean', default: false },
  timeout: { kind: 'duration', default: '10s' },
  hosts: { kind: 'list', optional: true },
};

test('defaults are settings', () => {
  assert.deepEqual(settings(SHAPE), { port: 8080, logLevel: 'info', quiet: false, timeout: 10_000 });
});

test('flags win over the environment, the environment over the file', () => {
  const sources = { file: '{"port": 1, "logLevel": "warn"}', environment: { APP_PORT: '2' }, flags: ['--log-level=debug'] };
  const { port, logLevel } = settings(SHAPE, sources);
  assert.deepEqual([port, logLevel], [2, 'debug']);
});

test('words are no numbers', () => {
  assert.throws(() => settings(SHAPE, { flags: ['--port=many'] }), /port: expected a number, got "many"/);
});

test('lists are split at commas', () => {
  assert.deepEqual(settings(SHAPE, { flags: ['--hosts=a, b'] }).hosts, ['a', 'b']);
});
