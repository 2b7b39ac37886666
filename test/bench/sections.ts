import { loadavg } from 'node:os';
import Table from 'cli-table3';

/** What a section found: cells for people, and the same as figures. */
export type Found =
  | { skipped: string }
  | { head: string[]; rows: string[][]; notes: string[]; figures: Readonly<Record<string, unknown>> };

export interface Section<Bench> {
  title: string;
  measure(bench: Bench): Promise<Found>;
}

export interface Wanted {
  /** Names with commas between them; undefined: all. */
  only: string | undefined;
  json: boolean;
  /** What it is measured on, in words. */
  machine: string;
}

/** Measures one section after the other: tables to stdout, progress to stderr, figures as the last line where asked for. */
export async function runSections<Bench>(
  sections: ReadonlyMap<string, Section<Bench>>,
  bench: Bench,
  { only, json, machine }: Wanted,
): Promise<void> {
  const names = only?.split(',') ?? [...sections.keys()];
  const unknown = names.find((name) => !sections.has(name));
  if (unknown !== undefined)
    throw new Error(`There is no section ${unknown}: choose of ${[...sections.keys()].join(', ')}.`);
  console.log(machine);
  const figures: Record<string, unknown> = {};
  for (const name of names) figures[name] = await show(name, sections.get(name)!, bench);
  if (json) console.log(JSON.stringify({ machine, sections: figures }));
}

async function show<Bench>(name: string, section: Section<Bench>, bench: Bench): Promise<unknown> {
  say(section.title);
  const loads = [loadavg()[0]];
  const found = await section.measure(bench);
  loads.push(loadavg()[0]);
  const load = loads.map((one) => one?.toFixed(1)).join(' before, ');
  console.log(`\n${section.title} (--only ${name}; load ${load} after)\n${textOf(found)}`);
  return 'skipped' in found ? found : { load: loads, ...found.figures };
}

function textOf(found: Found): string {
  if ('skipped' in found) return `skipped: ${found.skipped}`;
  const shown = new Table({ head: found.head, style: { head: [], border: [] } });
  shown.push(...found.rows);
  return [shown.toString(), ...found.notes].join('\n');
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
