import type { Entry } from './entry.ts';
import { good } from './good.ts';
import { harmful } from './harmful.ts';
import { useless } from './useless.ts';

/** Everything the rehearsal can propose, written for the seed agent's source. */
export const entries: readonly Entry[] = [...good, ...useless, ...harmful];
