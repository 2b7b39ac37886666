import { expect, it } from 'vitest';
import { WaitingBells } from '#services/queue/waiting-bells.ts';
import { bells } from './phone.ts';

it('forgets the oldest doorbells where nobody listens, so that they do not add up for ever', () => {
  const waiting = new WaitingBells();
  for (const doorbell of bells(30_000)) waiting.add(doorbell);
  const taken: string[] = [];
  for (let next = waiting.take('cpu'); next !== undefined; next = waiting.take('cpu')) taken.push(next.jobId);
  expect(taken).toHaveLength(20_000);
  expect(taken.at(-1)).toBe('rabcdef-t30000');
});
