import assert from 'node:assert/strict';
import test from 'node:test';
import { settings } from '../src/settings.js';

const SHAPE = { port: { kind: 'number', default: 8080 } };

test('zero is a number in a flag', () => {
  assert.equal(settings(SHAPE, { flags: ['--port=0'] }).port, 0);
});

test('zero is a number in the environment', () => {
  assert.equal(settings(SHAPE, { environment: { APP_PORT: '0' } }).port, 0);
});

test('zero is a number in the file', () => {
  assert.equal(settings(SHAPE, { file: '{"port": 0}' }).port, 0);
});

test('nothing at all is no number', () => {
  assert.throws(() => settings(SHAPE, { flags: ['--port='] }), /port: expected a number, got ""/);
});

test('infinity is not a usable number', () => {
  assert.throws(() => settings(SHAPE, { flags: ['--port=Infinity'] }), /port: expected a number/);
});

test('an empty variable is as good as none', () => {
  assert.equal(settings(SHAPE, { environment: { APP_PORT: '' } }).port, 8080);
});
