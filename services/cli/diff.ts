import type { Command } from 'commander';
import { findReference } from '#services/api/find.ts';
import { type CommonOptions, command, configOf } from './command.ts';
import { findAny, openHome, pickAgent } from './open-home.ts';
import { plainText } from './plain-text.ts';
import type { Paint, Terminal } from './terminal.ts';

interface DiffFlags extends CommonOptions {
  against: string;
}

/** `clade diff`: what an agent's source differs in from another's. */
export function diffCommand(terminal: Terminal): Command {
  return command('diff', "show what changed in an agent's source")
    .argument('<agent>', 'agent id; a7 is that of the newest run')
    .option('--against <agent>', 'parent, seed, or an agent id', 'parent')
    .action((id: string, options: DiffFlags) => diff(id, options, terminal));
}

async function diff(id: string, { home, json, against }: DiffFlags, terminal: Terminal): Promise<void> {
  await using archive = await openHome(configOf(terminal, { home }).home);
  const agent = pickAgent(archive, id);
  const named = /^a\d+$/.test(against) ? findAny(archive, against) : null;
  const reference = named?.kind === 'agent' ? named.agent : findReference(archive, agent, against);
  const text = await archive.repository.diff(reference.tree, agent.tree);
  if (json) return terminal.print(JSON.stringify({ agent: agent.id, against: reference.id, diff: text }));
  terminal.write(
    text === '' ? `${agent.id} and ${reference.id} have the same source.\n` : painted(plainText(text), terminal.paint),
  );
}

function painted(text: string, paint: Paint): string {
  return text
    .split('\n')
    .map((line) => {
      if (/^(diff |index |--- |\+\+\+ )/.test(line)) return paint.bold(line);
      if (line.startsWith('@@')) return paint.cyan(line);
      if (line.startsWith('+')) return paint.green(line);
      return line.startsWith('-') ? paint.red(line) : line;
    })
    .join('\n');
}
