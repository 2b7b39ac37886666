import { INFRA_HEADER, infraCodeIn } from '#services/gateway/infra-mark.ts';

/** A model call failed through no fault of the agent, and was the last one: what came of it says nothing about the agent. */
export class ModelUnavailable extends Error {
  override name = 'ModelUnavailable';
}

export interface ModelWatch {
  forward: (request: Request) => Promise<Response>;
  /** Why the last call failed, when that was the provider's fault or ours; null otherwise. */
  trouble: () => string | null;
}

/**
 * Lets model calls through and remembers whether the last one failed through no fault of the agent: it was answered so, its
 * answer broke off so, or nothing came of it for `patienceMs`.
 */
export function watchModel(forward: (request: Request) => Promise<Response>, patienceMs: number): ModelWatch {
  const underWay = new Set<ModelCall>();
  let trouble: string | null = null;
  const silence = (calls: Iterable<ModelCall>) =>
    [...calls].some(({ heardMs }) => performance.now() - heardMs >= patienceMs)
      ? `the model said nothing for ${Math.round(patienceMs / 1000)} s`
      : null;
  const begin = (): ModelCall => {
    const call: ModelCall = {
      heardMs: performance.now(),
      heard: () => {
        call.heardMs = performance.now();
      },
      ended: (why) => {
        trouble = why ?? silence([call]);
        underWay.delete(call);
      },
    };
    underWay.add(call);
    return call;
  };
  return {
    trouble: () => silence(underWay) ?? trouble,
    async forward(request) {
      const call = begin();
      try {
        const response = await forward(request);
        call.heard();
        if (response.body !== null && isStream(response)) return watched(response, response.body, call);
        call.ended(infraTrouble(response));
        return response;
      } catch (error) {
        call.ended(request.signal.aborted ? null : error instanceof Error ? error.message : String(error));
        throw error;
      }
    },
  };
}

interface ModelCall {
  /** When something of the answer last came, by the clock of `performance`. */
  heardMs: number;
  heard(): void;
  /** Only the first time counts. `why`: what the agent is not to blame for, or null. */
  ended(why: string | null): void;
}

function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') ?? false;
}

/** The answer as it is, read at the pace of its reader, with an eye on how it ends. */
function watched(response: Response, body: ReadableStream<Uint8Array>, call: ModelCall): Response {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let tail = '';
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) {
          const code = infraCodeIn(tail);
          call.ended(code === null ? null : `the model gateway broke off its answer (${code})`);
          return controller.close();
        }
        call.heard();
        tail = (tail + decoder.decode(value, { stream: true })).slice(-TAIL_CHARS);
        controller.enqueue(value);
      },
      async cancel(reason) {
        call.ended(null);
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status: response.status, headers: response.headers });
}

/** The mark and the error after it, which holds at most a provider's words. */
const TAIL_CHARS = 16_384;

/** Why a model's answer is a failure that the agent has no part in; null for all other answers. */
function infraTrouble(response: Response): string | null {
  const code = response.headers.get(INFRA_HEADER);
  return code === null ? null : `the model gateway answered ${response.status} (${code})`;
}
