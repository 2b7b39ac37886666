import { openArchive } from '#archive/archive.ts';
import type { AgentId } from '#archive/schema.ts';
import { settle } from '#services/scheduler/settle.ts';
import { beginTrial, breed, trialResult } from './builders.ts';

/** Breeds, calls models and settles trials as fast as it can until it is killed; says of each trial that it is settled. */
const [home = '', runId = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
const archive = await openArchive(home);
for (let round = archive.decisions.list(runId).length; ; round += 1) {
  const agents = archive.agents.lineage(runId);
  const parent = agents[round % agents.length]!.id;
  const child = breed(archive, parent, `${round}`);
  await Promise.all(['t0', 't1', 't2', 't3', 't4'].map((task) => tried(child, task, round % 2)));
}

async function tried(agent: AgentId, task: string, y: number): Promise<void> {
  const lease = beginTrial(archive, { agent, task });
  const request = { role: 'trial' as const, model: 'm', requestDigest: 'd', occurrence: 0 };
  const callId = archive.ledger.reserve({ lease, ...request, reservedUusd: 10, nowMs: 5 });
  archive.ledger.sent(callId);
  const usage = { inputTokens: 1, outputTokens: 1, latencyMs: 1 };
  archive.ledger.settle(callId, { spentUusd: 7, ...usage, replyBlob: archive.blobs.write(agent + task) });
  await settle(archive, lease, { ...trialResult(y), transcript: lease.jobId, graderLog: task }, 4_000);
  process.send?.(lease.jobId);
}
