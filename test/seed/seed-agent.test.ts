import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { execute, seedDirectory } from '#test/gateway/rehearsal-stage.ts';

describe('the seed agent', { timeout: 30_000 }, () => {
  it('is small, and needs nothing but Node', async () => {
    const names = (await readdir(seedDirectory)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    const texts = await Promise.all(names.map((name) => readFile(join(seedDirectory, name), 'utf8')));
    expect(texts.join('').split('\n').length).toBeLessThan(500);
    const imported = texts.flatMap((text) => [...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name));
    expect(imported.filter((name) => !/^(node:|\.\/)/.test(name ?? ''))).toEqual([]);
  });

  it('passes its own tests', async () => {
    const { test } = JSON.parse(await readFile(join(seedDirectory, 'agent.json'), 'utf8'));
    const { code, output } = await execute(test, seedDirectory);
    expect(code, output).toBe(0);
  });

  it('says that it can start', async () => {
    const { code, output } = await execute(['node', 'main.ts', '--check'], seedDirectory);
    expect(JSON.parse(output)).toMatchObject({ ok: true, name: 'seed' });
    expect(code).toBe(0);
  });

  it('changes the repository by what the model calls for, and prints a transcript', async () => {
    const calls = [
      ['bash', { command: 'cat a.txt' }],
      ['edit', { path: 'a.txt', old: 'one', new: 'two' }],
    ] as const;
    const { code, output, file } = await started((response, step) => reply(response, calls[step]));
    expect({ code, file }).toEqual({ code: 0, file: 'two\n' });
    const kinds = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(kinds).toEqual(['model', 'tool', 'model', 'tool', 'model', 'note']);
  });

  it('sends the same requests wherever and whenever it runs', async () => {
    const calls = [['bash', { command: 'ls; cat a.txt' }]] as const;
    const runs = [
      await started((response, step) => reply(response, calls[step])),
      await started((response, step) => reply(response, calls[step])),
    ];
    expect(runs[0]?.requests).toEqual(runs[1]?.requests);
  });

  it('stops before its deadline and takes what it started along', async () => {
    const calls = [['bash', { command: 'echo $$ > pid; sleep 60 & sleep 60' }]] as const;
    const before = Date.now();
    const { code, pid } = await started((response, step) => reply(response, calls[step]), 4_000);
    expect(Date.now() - before).toBeLessThan(4_000);
    expect(code).toBe(0);
    await sleep(50);
    expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/);
  });

  it('fails when the model refuses', async () => {
    const { code, output } = await started((response) => response.writeHead(401).end('{}'));
    expect(code).toBe(1);
    expect(output).toContain('401');
  });

  it('fails, and says so, when the task alone is too long for the model', async () => {
    const { code, output, requests } = await started((response) => response.writeHead(413).end('too large'));
    expect(code).toBe(1);
    expect(output).toContain('cannot be shortened any more: the model answered 413: too large');
    expect(requests).toHaveLength(1);
  });
});

type Respond = (response: ServerResponse, step: number) => void;

/** Runs the agent in a repository with one file, against a model that answers so. */
async function started(respond: Respond, deadlineMs = 20_000) {
  const home = await mkdtemp(join(tmpdir(), 'clade-seed-'));
  const repository = join(home, 'repository');
  await mkdir(repository);
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    requests.push(Buffer.concat(await request.toArray()).toString());
    respond(response, requests.length - 1);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  await writeFile(join(repository, 'a.txt'), 'one\n');
  const taskFile = join(home, 'task.json');
  await writeFile(taskFile, JSON.stringify({ instruction: 'Change a.txt.', hints: ['a.txt'] }));
  const env = {
    PATH: process.env.PATH ?? '',
    CLADE_TASK: taskFile,
    CLADE_MODEL: 'stand-in',
    CLADE_DEADLINE_MS: String(deadlineMs),
    OPENAI_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, // A TCP server's address is one.
  };
  try {
    const ran = await execute(['node', join(seedDirectory, 'main.ts')], repository, env);
    const pid = await readFile(join(repository, 'pid'), 'utf8').catch(() => null);
    return { ...ran, requests, file: await readFile(join(repository, 'a.txt'), 'utf8'), pid };
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(home, { recursive: true });
  }
}

function reply(response: ServerResponse, call: readonly [string, unknown] | undefined): void {
  const toolCall = call && {
    id: 'c',
    type: 'function',
    function: { name: call[0], arguments: JSON.stringify(call[1]) },
  };
  const message = { role: 'assistant', content: 'So be it.', ...(toolCall ? { tool_calls: [toolCall] } : {}) };
  response.end(JSON.stringify({ choices: [{ message }] }));
}
