import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type Instruments = ReturnType<typeof createInstruments>;

/** From what a rehearsal answers in to what a reasoning model takes. */
const CALL_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600];
const WAIT_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800];

/** Everything measured, with its name and meaning. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge({ name: `clade_${name}`, help, labelNames, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name: `clade_${name}_total`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: L[] = []) =>
    new Histogram({ name: `clade_${name}`, help, buckets, labelNames, registers });
  return {
    buildInfo: gauge('build_info', 'Always 1; its labels say what runs.', ['version']),
    runs: gauge('runs', 'Runs by state.', ['state']),
    runAgents: gauge('run_agents', 'Agents in the lineage of an unfinished run.', ['run']),
    runTrialsSettled: gauge('run_trials_settled', 'Trials settled in an unfinished run.', ['run']),
    runSpent: gauge('run_spent_dollars', 'What an unfinished run has spent.', ['run']),
    runReserved: gauge('run_reserved_dollars', 'What its model calls under way may cost at most.', ['run']),
    runBudget: gauge('run_budget_dollars', 'What an unfinished run may spend; absent without limit.', ['run']),
    jobs: gauge('jobs', 'Jobs that are ready or leased, by what it takes to do them.', ['state', 'class']),
    jobsClaimed: counter('jobs_claimed', 'Jobs that workers took.', ['worker']),
    jobWait: histogram('job_wait_seconds', 'From a job being ready to a worker taking it.', WAIT_SECONDS),
    jobRequeues: counter('job_requeues', 'Jobs that became ready again without a result.'),
    leaseExpirations: counter('lease_expirations', 'Jobs taken back from a worker that did not renew its lease.'),
    trialsSettled: counter('trials_settled', 'Trials by outcome.', ['outcome']),
    proposalsSettled: counter('proposals_settled', 'Proposals by outcome.', ['outcome']),
    notices: counter('notices', 'What runs told their operators.', ['level', 'code']),
    spend: counter('spend_dollars', 'Spent on models, over all runs of the archive.', ['role', 'model']),
    spendAmbiguous: counter('spend_ambiguous_dollars', 'The part of it for calls that may not have been made.', [
      'role',
      'model',
    ]),
    tokens: counter('model_tokens', 'Tokens paid for, over all runs of the archive.', ['role', 'model', 'direction']),
    calls: counter('model_calls', 'Model calls by how they ended; replayed ones cost nothing.', ['model', 'outcome']),
    callSeconds: histogram('model_call_duration_seconds', 'How long paid model calls took.', CALL_SECONDS, ['model']),
    callsOpen: gauge('model_calls_open', 'Model calls under way.'),
    workers: gauge('workers', 'Workers by how they are.', ['state']),
    workerSlots: gauge('worker_slots', 'Jobs that a worker may do at once.', ['worker']),
    workerJobs: gauge('worker_jobs', 'Jobs that a worker holds.', ['worker']),
    redisUp: gauge('redis_up', '1 while the doorbells of jobs go through Redis, 0 while they cannot.'),
    diskFree: gauge('disk_free_bytes', 'Free space where the archive is.'),
    diskSize: gauge('disk_size_bytes', 'All space where the archive is.'),
  };
}
