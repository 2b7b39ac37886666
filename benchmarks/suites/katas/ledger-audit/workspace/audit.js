import { apply } from './src/apply.js';
import { sample } from './src/sample.js';

// What each kind of event does to balance and held money, by the bank's own books.
const BOOKS = {
  deposit: [1, 0],
  withdrawal: [-1, 0],
  fee: [-1, 0],
  refund: [1, 0],
  hold: [0, 1],
  release: [0, -1],
  capture: [-1, -1],
};

let account = { balance: 0, held: 0, isOpen: true };
const differences = new Map();
for (const [index, event] of sample().entries()) {
  const next = apply(account, event);
  const [balance, held] = BOOKS[event.kind].map((sign) => sign * event.amount);
  const off = Math.abs(next.balance - account.balance - balance) + Math.abs(next.held - account.held - held);
  differences.set(event.kind, (differences.get(event.kind) ?? 0) + off);
  console.log(`${String(index + 1).padStart(4)} ${event.kind.padEnd(11)} ${cents(event.amount)} balance ${cents(next.balance)} held ${cents(next.held)}`);
  account = next;
}

const wrong = [...differences].filter(([, off]) => off > 0);
console.log(`\n${differences.size} kinds of events, ${wrong.length} against the books`);
for (const [kind, off] of wrong) console.log(`src/events/${kind}.js is off by ${cents(off).trim()} in all`);
process.exitCode = wrong.length > 0 ? 1 : 0;

function cents(amount) {
  return (amount / 100).toFixed(2).padStart(10);
}
