import assert from 'node:assert/strict';
import test from 'node:test';
import { replay } from '../src/apply.js';

test('deposits and withdrawals change the balance', () => {
  assert.equal(replay([{ kind: 'deposit', amount: 500 }, { kind: 'withdrawal', amount: 200 }]).balance, 300);
});

test('money on hold still belongs to the account', () => {
  assert.deepEqual(replay([{ kind: 'deposit', amount: 500 }, { kind: 'hold', amount: 100 }]), { balance: 500, held: 100, isOpen: true });
});

test('a released hold changes nothing', () => {
  const events = [{ kind: 'hold', amount: 100 }, { kind: 'release', amount: 100 }];
  assert.deepEqual(replay(events), { balance: 0, held: 0, isOpen: true });
});

test('accounts can be closed and opened again', () => {
  assert.equal(replay([{ kind: 'close' }]).isOpen, false);
  assert.equal(replay([{ kind: 'close' }, { kind: 'reopen' }]).isOpen, true);
});

test('unknown events are refused', () => {
  assert.throws(() => replay([{ kind: 'gift', amount: 1 }]), /unknown event: gift/);
});
