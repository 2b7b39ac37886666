import { randomUUID } from 'node:crypto';
import type { CallRole, Lease } from '#archive/schema.ts';
import { infraComment } from '#services/gateway/infra-mark.ts';
import { type Answer, type ControlDoor, patiently } from './control-door.ts';
import { CALL_HEADER, EPOCH_HEADER, FROM_HEADER, GATEWAY_HEADER, PATH_CHARS, PATH_HEADER } from './wire.ts';

export interface ModelCall {
  lease: Lease;
  role: CallRole;
  request: Request;
}

/** About a minute: longer than the lease lasts that the call is made by. */
const RETRIES = 22;

/**
 * Carries a model call to the gateway, and its answer back as it comes. A connection that breaks is made again, and the call
 * goes on where it was, without being made again. Hanging up here hangs up there, where a call that has left is followed to
 * its end all the same. A stream that cannot be gone on with says so in the way of the gateway's own.
 * @throws ControlAway, and what control says of the job; the reason of the request's signal.
 */
export async function forwardModelCall(door: ControlDoor, { lease, role, request }: ModelCall): Promise<Response> {
  const { signal } = request;
  const method = request.method === 'POST' ? 'POST' : 'GET';
  const path = `/v1/jobs/${lease.jobId}/model/${role}`;
  const body = method === 'POST' ? new Uint8Array(await request.arrayBuffer()) : undefined;
  const names = {
    [EPOCH_HEADER]: String(lease.epoch),
    [CALL_HEADER]: randomUUID(),
    [PATH_HEADER]: new URL(request.url).pathname.slice(0, PATH_CHARS),
  };
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/octet-stream' };
  const ask = (from: number) =>
    door.ask({
      ...{ method, path, body, timeoutMs: null, signal, lease },
      headers: { ...names, ...type, [FROM_HEADER]: String(from) },
    });
  const hangUp = () => void door.ask({ method: 'DELETE', path, headers: names, timeoutMs: 10_000 }).then(drop, ignore);
  signal.addEventListener('abort', hangUp, { once: true });
  const over = () => signal.removeEventListener('abort', hangUp);
  try {
    const again = { retries: RETRIES, signal };
    const { answer, whole } = await patiently(async () => read(door, await ask(0), signal), again);
    const init = { status: answer.status, headers: headersFor(answer) };
    if (whole === null)
      return new Response(
        streamOf(answer, { signal, again: (from) => patiently(() => ask(from), again), hangUp, over }),
        init,
      );
    over();
    return new Response(whole, init);
  } catch (error) {
    over();
    throw error;
  }
}

/** The text of an answer that is no stream. */
async function read(door: ControlDoor, answer: Answer, signal: AbortSignal) {
  const isStream = String(answer.headers['content-type']).startsWith('text/event-stream');
  return { answer, whole: isStream ? null : await door.text(answer, signal) };
}

interface StreamOptions {
  signal: AbortSignal;
  /** Goes on after so many bytes. */
  again: (from: number) => Promise<Answer>;
  hangUp: () => void;
  over: () => void;
}

function streamOf(first: Answer, { signal, again, hangUp, over }: StreamOptions): ReadableStream<Uint8Array> {
  let { body } = first;
  let pieces: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  let received = 0;
  async function next(): Promise<Uint8Array | null> {
    for (;;) {
      try {
        const { done, value } = await pieces.next();
        return done ? null : new Uint8Array(value);
      } catch (error) {
        if (signal.aborted) throw error;
        ({ body } = await again(received));
        pieces = body[Symbol.asyncIterator]();
      }
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const piece = await next();
          if (piece !== null) {
            received += piece.length;
            return controller.enqueue(piece);
          }
        } catch (error) {
          if (signal.aborted) throw error;
          controller.enqueue(new TextEncoder().encode(BROKEN_OFF));
        }
        over();
        controller.close();
      },
      cancel() {
        over();
        body.destroy();
        hangUp();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Of the service's own, not of the gateway's answer. */
const NOT_CARRIED = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'date',
  'x-content-type-options',
  'content-security-policy',
  GATEWAY_HEADER,
]);

function headersFor({ headers }: Answer): Headers {
  const carried = new Headers();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !NOT_CARRIED.has(name)) carried.set(name, String(value));
  return carried;
}

const error = {
  message: 'The connection to the model gateway broke.',
  type: 'server_error',
  param: null,
  code: 'control_away',
};
/** After a piece of an event, which the empty lines end. Clients of either form of the API read this as an error. */
const BROKEN_OFF = `\n\n${infraComment(error.code)}event: error\ndata: ${JSON.stringify({ ...error, type: 'error', error })}\n\n`;

const drop = ({ body }: Answer) => void body.resume();
const ignore = () => undefined;
