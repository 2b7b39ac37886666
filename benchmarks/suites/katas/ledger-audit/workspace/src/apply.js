import { capture } from './events/capture.js';
import { close } from './events/close.js';
import { deposit } from './events/deposit.js';
import { fee } from './events/fee.js';
import { hold } from './events/hold.js';
import { interest } from './events/interest.js';
import { refund } from './events/refund.js';
import { release } from './events/release.js';
import { reopen } from './events/reopen.js';
import { withdrawal } from './events/withdrawal.js';

const HANDLERS = { capture, close, deposit, fee, hold, interest, refund, release, reopen, withdrawal };

/** The account after an event. */
export function apply(account, event) {
  const handler = HANDLERS[event.kind];
  if (!handler) throw new TypeError(`unknown event: ${event.kind}`);
  return handler(account, event);
}

/** The account after all events. */
export function replay(events) {
  return events.reduce(apply, { balance: 0, held: 0, isOpen: true });
}
