import { relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Config, type Flags, readConfig } from '#services/config.ts';
import type { Terminal } from './terminal.ts';

/** Options that every command takes. */
export interface CommonOptions {
  home?: string;
  json?: boolean;
}

/** A command with the options that all take. */
export function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--home <dir>', 'data directory (default: CLADE_HOME, else .clade)')
    .option('--json', 'answer with JSON on stdout');
}

/** Several commands under one name. It has no options of its own: it would take those of its commands. */
export function commandGroup(name: string, description: string, members: readonly Command[]): Command {
  const group = new Command(name).description(description);
  for (const member of members) group.addCommand(member);
  return group;
}

/** A path as one would type it here. */
export function typed(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}

/** ` --home <dir>` where the command needs it to find this data directory again, else nothing. */
export function homeFlag({ env }: Terminal, home: string): string {
  return readConfig(env).home === home ? '' : ` --home ${typed(home)}`;
}

export function configOf(terminal: Terminal, flags: Flags): Config {
  return readConfig(terminal.env, flags);
}

/** The same for a command that shows a run as it goes: log lines between the lines that people read are for trouble alone. */
export function followingConfig(terminal: Terminal, home: string | undefined): Config {
  return configOf(terminal, { home, logLevel: terminal.env.CLADE_LOG ?? 'error' });
}

/** Parses an option that is a number; what numbers are allowed is said where it is used. */
export function asNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a number.`);
  return value;
}

/** Parses a whole number that is not negative. */
export function asCount(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a whole number from 0 on.`);
  return Number(text);
}

/** Parses a whole number that is more than 0. */
export function asPositiveCount(text: string): number {
  const count = asCount(text);
  if (count === 0) throw new InvalidArgumentError('At least 1 is needed.');
  return count;
}

/** Parses a port; 0 takes any that is free. */
export function asPort(text: string): number {
  const port = asCount(text);
  if (port > 65_535) throw new InvalidArgumentError(`${port} is not a port; ports go from 0 to 65535.`);
  return port;
}
