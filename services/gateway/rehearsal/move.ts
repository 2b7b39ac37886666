import type { Purpose } from './conversation.ts';
import type { Call } from './toolbox.ts';

/** What the model does next: it says something and is done, or calls tools. */
export type Move = { kind: 'say'; text: string } | { kind: 'call'; text: string; calls: readonly Planned[] };

export interface Planned {
  purpose: Purpose;
  call: Call;
}

export function say(text: string): Move {
  return { kind: 'say', text };
}

export function call(text: string, ...calls: readonly Planned[]): Move {
  return { kind: 'call', text, calls };
}
