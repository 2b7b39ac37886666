import { connect } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecOptions, ExecResult, Sandbox, SandboxDriver } from '#sandbox/sandbox.ts';
import type { SandboxSpec } from '#sandbox/schema.ts';

/**
 * Stands in for sandboxes where a bench wants more of them than the machine has room for: an agent in it does nothing for a
 * while and changes nothing. All else of a worker is real. How long follows from the job alone.
 */
export function createSleepingDriver(sleepMs: (job: string) => number): SandboxDriver {
  return {
    name: 'process',
    isolates: true,
    images: null,
    diagnose: async () => ({
      driver: 'process',
      available: true,
      detail: 'sleeps',
      enforces: { memory: true, pids: true, cpus: true, disk: true, network: true },
    }),
    prepare: async () => {},
    open: async (spec) => sleepingSandbox(spec, sleepMs),
    reap: async () => [],
  };
}

function sleepingSandbox({ labels }: SandboxSpec, sleepMs: (job: string) => number): Sandbox {
  const { job } = labels;
  return {
    id: job,
    driver: 'process',
    baseEnv: {},
    program: (name) => name,
    path: (inside) => inside,
    async exec(_argv, options) {
      if (isAgent(options)) await sleep(sleepMs(job), undefined, { signal: options.signal });
      return ended;
    },
    connect: async () => ({ stream: readyTunnel(), stderr: () => '', [Symbol.asyncDispose]: async () => {} }),
    put: async () => {},
    take: async () => [],
    quiesce: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

const isAgent = ({ env }: ExecOptions): boolean => 'CLADE_TASK' in env;

const nothing = { bytes: new Uint8Array(), totalBytes: 0, cut: false };
const ended: ExecResult = { exitCode: 0, timedOut: false, stdout: nothing, stderr: nothing, durationMs: 0 };

/** What a sandbox's relay says when it listens, and nothing more. */
function readyTunnel(): Duplex {
  const [ours, theirs] = duplexPair();
  const session = connect('http://host', { createConnection: () => theirs });
  session.on('error', () => {});
  session.request({ ':method': 'POST', ':path': '/tunnel/ready', 'x-tunnel-port': '1' }, { endStream: true }).resume();
  ours.on('close', () => session.destroy());
  return ours;
}
