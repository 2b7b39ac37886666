import { ControlAway } from './control-away.ts';
import { type Answer, type ControlDoor, patiently } from './control-door.ts';

const TIMEOUT_MS = 300_000;

/**
 * Bytes of control's, asked for again where they did not come as they should.
 * @throws ControlAway, also when they stay damaged; NotFound.
 */
export async function download(
  door: ControlDoor,
  path: string,
  isRight: (bytes: Uint8Array, answer: Answer) => boolean,
): Promise<Uint8Array> {
  const fetched = async () => {
    const answer = await door.ask({ method: 'GET', path, timeoutMs: TIMEOUT_MS });
    const bytes = await door.bytes(answer);
    if (isRight(bytes, answer)) return bytes;
    throw new ControlAway(`What came for ${path} is damaged: ${bytes.length} bytes of another digest.`);
  };
  return patiently(fetched, { retries: 5 });
}
