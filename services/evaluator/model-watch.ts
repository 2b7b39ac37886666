/** The gateway's mark on answers that failed through no fault of the agent; its value is the error's code. */
const infraHeader = 'x-clade-infra';

/** A model call failed through no fault of the agent, and was the last one: what came of it says nothing about the agent. */
export class ModelUnavailable extends Error {
  override name = 'ModelUnavailable';
}

export interface ModelWatch {
  forward: (request: Request) => Promise<Response>;
  /** Why the last call failed, when that was the provider's fault or ours; null otherwise. */
  trouble: () => string | null;
}

/** Lets model calls through and remembers whether the last one to be answered failed through no fault of the agent. */
export function watchModel(forward: (request: Request) => Promise<Response>): ModelWatch {
  let trouble: string | null = null;
  return {
    trouble: () => trouble,
    async forward(request) {
      try {
        const response = await forward(request);
        trouble = infraTrouble(response);
        return response;
      } catch (error) {
        if (!request.signal.aborted) trouble = error instanceof Error ? error.message : String(error);
        throw error;
      }
    },
  };
}

/** Why a model's answer is a failure that the agent has no part in; null for all other answers. */
function infraTrouble(response: Response): string | null {
  const code = response.headers.get(infraHeader);
  return code === null ? null : `the model gateway answered ${response.status} (${code})`;
}
