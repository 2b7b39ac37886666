import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { replay } from '../src/apply.js';
import { sample } from '../src/sample.js';

test('a captured payment leaves the account', () => {
  const events = [{ kind: 'deposit', amount: 500 }, { kind: 'hold', amount: 100 }, { kind: 'capture', amount: 100 }];
  assert.deepEqual(replay(events), { balance: 400, held: 0, isOpen: true });
});

test('the audit agrees with the books', () => {
  assert.equal(spawnSync(process.execPath, ['audit.js']).status, 0);
});

test('the history is as before', () => {
  const events = sample();
  assert.equal(events.length, 600);
  assert.equal(events.reduce((sum, event) => sum + event.amount, 0) > 0, true);
});

test('what is held in the end is what was neither released nor captured', () => {
  const sign = { hold: 1, release: -1, capture: -1 };
  const expected = sample().reduce((sum, { kind, amount }) => sum + (sign[kind] ?? 0) * amount, 0);
  assert.equal(replay(sample()).held, expected);
});
