import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { cladeSums } from '#archive/lineage.ts';
import type { AgentId } from '#archive/schema.ts';
import { applyEvent, emptyStanding } from '#services/scheduler/standing.ts';
import { beginTrial, breed, createRun, settleTrial, temporaryDirectory } from './builders.ts';

/** Each step breeds from an agent or tries one; numbers pick the agent among those there are. Quarters add without rounding. */
const step = fc.oneof(
  fc.record({ breed: fc.nat() }),
  fc.record({ trial: fc.nat(), y: fc.constantFrom(0, 0.25, 0.5, 1, null) }),
);

describe('clade evidence', () => {
  it('equals the sum over an agent and all its descendants, in the database and in the fold of the events', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const run = createRun(archive, { tasks: Array.from({ length: 60 }, (_, i) => `t${i}`) });
        const agents: AgentId[] = [`${run.id}-a1`];
        for (const [index, one] of steps.entries()) {
          if ('breed' in one) agents.push(breed(archive, agents[one.breed % agents.length]!, `${index}`));
          else {
            const lease = beginTrial(archive, { agent: agents[one.trial % agents.length]!, task: `t${index}` });
            settleTrial(archive, lease, one.y, one.y === null ? 'infra' : undefined);
          }
        }
        const lineage = archive.agents.lineage(run.id);
        const expected = naiveSums(archive.trials.list(run.id), lineage);
        const standing = emptyStanding();
        for (const event of archive.events.after({ runId: run.id, seq: 0 })) applyEvent(standing, event);
        expect(lineage.map(({ cladeN, cladeS }) => ({ n: cladeN, s: cladeS }))).toEqual(expected);
        expect([...cladeSums(lineage).values()]).toEqual(expected);
        expect(standing.agents.map(({ cladeN, cladeS }) => ({ n: cladeN, s: cladeS }))).toEqual(expected);
        expect(standing.agents.map(({ n, s, children }) => ({ n, s, children }))).toEqual(
          lineage.map(({ n, s, children }) => ({ n, s, children })),
        );
      }),
      { numRuns: 25, seed: 2 },
    );
  });
});

/** By the definition: for each agent, every trial of every agent whose chain of parents reaches it. */
function naiveSums(
  trials: readonly { agentId: AgentId; y: number | null }[],
  agents: readonly { id: AgentId; parentId: AgentId | null }[],
): { n: number; s: number }[] {
  const parents = new Map(agents.map(({ id, parentId }) => [id, parentId]));
  const descends = (id: AgentId | null, ancestor: AgentId): boolean =>
    id !== null && (id === ancestor || descends(parents.get(id) ?? null, ancestor));
  return agents.map(({ id }) => {
    const counted = trials.flatMap(({ agentId, y }) => (y !== null && descends(agentId, id) ? [y] : []));
    return { n: counted.length, s: counted.reduce((sum, y) => sum + y, 0) };
  });
}
