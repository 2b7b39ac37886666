import type { Archive } from '#archive/archive.ts';
import type { RunKey } from '#archive/runs.ts';
import type { Run, RunId, RunSpec } from '#archive/schema.ts';
import type { Log } from '#services/log.ts';
import type { Metrics } from '#services/metrics/metrics.ts';
import type { WorkerVerb } from '#services/scheduler/fleet.ts';
import type { RunFigures } from '#services/scheduler/run-figures.ts';
import type { WorkerView } from '#services/scheduler/worker-view.ts';
import type { FleetClient, WorkerDescription } from '#services/worker/fleet.ts';
import type { JobDesk } from './job-desk.ts';
import type { ModelView, ProgressView, SuiteView } from './schema.ts';

/** The part of the scheduler that operators reach. The verbs throw a coded error when the run's state does not allow them. */
export interface RunControl {
  pause(id: RunId): void;
  resume(id: RunId): void;
  stop(id: RunId): void;
  /** What every slot does now, over all runs. */
  progress(): ProgressView[];
  /** Called when `progress` has changed. Returns the way to unsubscribe. */
  onProgress(listener: () => void): () => void;
  /** Who leads by the run's own rule, and how far its budget is used. */
  figures(id: RunId): RunFigures;
}

/** The part of the fleet that operators reach. */
export interface FleetControl {
  list(): WorkerView[];
  /** Null: the worker is forgotten. @throws CladeError */
  order(name: string, verb: WorkerVerb): WorkerView | null;
}

/** The part of the fleet that workers elsewhere reach. */
export interface RemoteFleet extends FleetClient {
  /** @throws CladeError `worker-refused` when it is another version, whatever else it says of itself. */
  assertSpeaks(who: Pick<WorkerDescription, 'name' | 'version' | 'protocol'>): void;
}

/** Who may ask. Tokens are compared by hash; without any, everyone who reaches the loopback address is admin. */
export interface Access {
  host: string;
  port: number;
  tokens: { admin?: string | undefined; viewer?: string | undefined; worker?: string | undefined };
  /** Further exact Host headers (`clade.example.org`, `10.0.0.5:7777`) that are answered. */
  allowedHosts?: readonly string[];
}

export interface ApiDeps {
  archive: Archive;
  scheduler: RunControl;
  /** Begins a run, and stores it with its key. */
  createRun(spec: RunSpec, key?: RunKey): Promise<Run>;
  suites: { list(): Promise<SuiteView[]> };
  models: readonly ModelView[];
  metrics: Metrics;
  access: Access;
  fleet: FleetControl;
  /** For workers elsewhere; without it there are no routes for them. */
  remote?: { desk: JobDesk; fleet: RemoteFleet };
  log?: Pick<Log, 'error'>;
  /** Milliseconds between comments that keep an idle event stream open; default 15,000. */
  heartbeatMs?: number;
}
