#!/usr/bin/env node
// Plain JavaScript for any Node from 20 on: finds a Node that runs TypeScript, then starts main.ts with it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
const bundled = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
const major = Number.parseInt(process.versions.node, 10);

if (major >= NEEDED) await import('./main.ts');
else if (existsSync(bundled) && process.env.CLADE_REEXECUTED === undefined) runWith(bundled);
else refuse();

function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, CLADE_REEXECUTED: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  // A terminal sends Ctrl-C to the child as well; forwarding it would make two of one.
  process.on('SIGINT', () => process.stdin.isTTY || process.stdout.isTTY || child.kill('SIGINT'));
  child.on('error', refuse);
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function refuse() {
  console.error(
    `clade needs Node ${NEEDED} or newer and found ${process.version}, without a newer one in node_modules. ` +
      'Run `npm ci` in the directory of Clade: it brings its own Node.',
  );
  process.exit(2);
}
