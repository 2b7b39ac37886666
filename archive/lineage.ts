import type { Agent, AgentId } from './schema.ts';

type Counted = Pick<Agent, 'id' | 'parentId' | 'n' | 's'>;

/**
 * Evidence of every clade, recomputed: an agent's own trials and scores together with those of all its descendants. Agents
 * are given in the order in which they joined, so that each comes after its parent.
 */
export function cladeSums(agents: readonly Counted[]): Map<AgentId, { n: number; s: number }> {
  const sums = new Map(agents.map(({ id, n, s }) => [id, { n, s }]));
  for (const { id, parentId } of agents.toReversed()) {
    const own = sums.get(id);
    const above = parentId === null ? undefined : sums.get(parentId);
    if (!own || !above) continue;
    above.n += own.n;
    above.s += own.s;
  }
  return sums;
}
