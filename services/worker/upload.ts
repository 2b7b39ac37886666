import pRetry from 'p-retry';
import { CladeError } from '#services/errors.ts';
import { sha256 } from './content-folder.ts';
import { ControlAway } from './control-away.ts';
import type { Answer, ControlDoor } from './control-door.ts';
import { LENGTH_HEADER, OFFSET_HEADER, PIECE_BYTES } from './wire.ts';

const TIMEOUT_MS = 60_000;

/**
 * Brings bytes to control, in pieces, from where an earlier attempt was cut off; what is there already is not sent again.
 * @returns their digest. @throws ControlAway when control stays away, what it refuses them with.
 */
export async function upload(door: ControlDoor, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  await pRetry(() => sendRest(door, digest, bytes), {
    ...{ retries: 6, minTimeout: 100, maxTimeout: 3_000, randomize: true },
    shouldRetry: ({ error }) => error instanceof ControlAway || isOutOfStep(error),
  });
  return digest;
}

async function sendRest(door: ControlDoor, digest: string, bytes: Uint8Array): Promise<void> {
  const path = `/v1/blobs/${digest}`;
  let sent = offsetIn(await door.ask({ method: 'HEAD', path, timeoutMs: TIMEOUT_MS }));
  // An empty blob is one empty piece.
  for (let first = true; sent !== 'all' && (first || sent < bytes.length); first = false) {
    const body = bytes.subarray(sent, sent + PIECE_BYTES);
    const headers = {
      'content-type': 'application/octet-stream',
      [OFFSET_HEADER]: String(sent),
      [LENGTH_HEADER]: String(bytes.length),
    };
    sent = offsetIn(await door.ask({ method: 'PATCH', path, headers, body, timeoutMs: TIMEOUT_MS }));
  }
}

/** Two that upload the same get in each other's way. */
function isOutOfStep(error: Error): boolean {
  return error instanceof CladeError && (error.code === 'upload-conflict' || error.code === 'corrupt-blob');
}

function offsetIn({ headers, body }: Answer): number | 'all' {
  body.resume();
  return headers['upload-complete'] === '?1' ? 'all' : Number(headers[OFFSET_HEADER]);
}
