import type { AgentView } from '#services/api/schema.ts';
import { scoreOf } from '#services/score.ts';
import type { Summary } from './demo-summary.ts';
import { plainLine } from './plain-text.ts';
import { table } from './table.ts';
import type { Paint } from './terminal.ts';
import { duration, paintScore, shortId } from './words.ts';

/** All agents of a run, the seed agent first: own and clade score with n and interval, parent, what changed. */
export function agentTable(agents: readonly AgentView[], champion: string, paint: Paint): string {
  return table(
    ['agent', 'own score', 'clade score', 'parent', 'what changed'],
    agents.map((agent) => [
      agent.id === champion ? paint.magenta(`${shortId(agent.id)} ★`) : shortId(agent.id),
      paintScore(paint, agent.score),
      agent.children === 0 ? paint.dim('no children') : paintScore(paint, agent.cladeScore),
      agent.parentId === null ? '-' : shortId(agent.parentId),
      plainLine(agent.summary, 60),
    ]),
  );
}

/** What a run came to, in a few lines. */
export function summaryText(summary: Summary, paint: Paint): string {
  const { seed, champion, gained, lost, proposals } = summary;
  const line = (who: string, one: Summary['seed']) =>
    `  ${who.padEnd(9)} ${shortId(one.agent).padEnd(4)} ${paintScore(paint, scoreOf((one.score ?? 0) * one.n, one.n))}  commit ${one.commit.slice(0, 10)}`;
  const outcomes = Object.entries(proposals).toSorted(([, a], [, b]) => b - a);
  const total = outcomes.reduce((sum, [, count]) => sum + count, 0);
  return [
    paint.bold('Champion against seed agent'),
    line('seed', seed),
    `${line('champion', champion)}  generation ${champion.generation}`,
    `  ${verdict(summary)}`,
    `  tasks gained: ${gained.join(', ') || 'none'}`,
    `  tasks lost:   ${lost.join(', ') || 'none'}`,
    `${paint.bold('Proposals')} ${total}: ${outcomes.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`,
    `${paint.bold('Lineage')}   ${summary.agents} agents, ${summary.generations} generations, ${summary.livingBranches} living branches`,
    `${paint.bold('Cost')}      ${summary.trials} trials, ${duration(summary.durationMs)}, $${summary.spentUsd.toFixed(4)} of model spend`,
  ].join('\n');
}

/** Intervals that overlap prove nothing, and are not called an improvement. */
function verdict({ seed, champion }: Summary): string {
  if (champion.agent === seed.agent) return 'No improvement found: the seed agent is still the best.';
  if (champion.low > seed.high)
    return 'Ahead of the seed agent: the 95 % intervals do not overlap (measured on the tasks it was chosen by).';
  return 'Not shown to be ahead of the seed agent: the 95 % intervals overlap.';
}
