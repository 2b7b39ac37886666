import { openArchive } from '#archive/archive.ts';
import { beginTrial, breed, settleTrial } from './builders.ts';

/** Breeds, calls models and settles trials as fast as it can until it is killed; says of each trial that it is settled. */
const [home = '', runId = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
const archive = await openArchive(home);
for (let round = archive.decisions.list(runId).length; ; round += 1) {
  const agents = archive.agents.lineage(runId);
  const parent = agents[round % agents.length]!.id;
  const child = breed(archive, parent, `${round}`);
  for (const task of ['t0', 't1', 't2', 't3', 't4']) {
    const lease = beginTrial(archive, { agent: child, task });
    const call = {
      lease,
      role: 'trial' as const,
      model: 'm',
      requestDigest: 'd',
      occurrence: 0,
      reservedUusd: 10,
      nowMs: 5,
    };
    const callId = archive.ledger.reserve(call);
    archive.ledger.sent(callId);
    archive.ledger.settle(callId, {
      spentUusd: 7,
      inputTokens: 1,
      outputTokens: 1,
      latencyMs: 1,
      replyBlob: archive.blobs.write(child + task),
    });
    settleTrial(archive, lease, round % 2);
    process.send?.(lease.jobId);
  }
  await new Promise((resolve) => setImmediate(resolve));
}
