import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Shell } from './shell.ts';

const directory = mkdtempSync(join(tmpdir(), 'shell-'));
const shell = new Shell(directory, 2_000);
after(() => {
  shell.close();
  rmSync(directory, { recursive: true });
});
const run = (command: string, timeoutMs = 10_000) => shell.run(command, timeoutMs);

test('a command gives its output, errors included, and its exit code', async () => {
  assert.equal(await run('echo out; echo err >&2; false'), 'out\nerr\nexit code 1');
  assert.equal(await run('printf "no newline"'), 'no newline\nexit code 0');
});

test('the directory and variables stay from command to command', async () => {
  await run('cd /; word="it\'s"');
  assert.equal(await run('pwd; echo "$word"'), "/\nit's\nexit code 0");
});

test('heredocs and open quotes end with their command', async () => {
  assert.equal(await run("cat <<'END'\n$a `b`\nEND"), '$a `b`\nexit code 0');
  assert.match(await run('echo "open'), /exit code [12]$/);
  assert.equal(await run('echo still here'), 'still here\nexit code 0');
});

test('a command that reads stdin finds it empty', async () => {
  assert.equal(await run('cat; read -r line || echo nothing'), 'nothing\nexit code 0');
});

test('a background process does not hold the shell up', async () => {
  assert.equal(await run('sleep 30 & echo started'), 'started\nexit code 0');
  await run('kill $!; wait $! 2> /dev/null');
});

test('what is printed between two commands stands in front of the second, cut so that it does not hide that', async () => {
  for (const [printing, shown] of [
    ['echo late', /^late\nnext\nexit code 0$/],
    ['seq 1 20000', /^1\n2\n[\s\S]{1,600}\[cut: \d+ more characters\][\s\S]*\nnext\nexit code 0$/],
  ] as const) {
    const [go, done] = [join(directory, `${printing} go`), join(directory, `${printing} done`)];
    const waiting = `until [ -e '${go}' ]; do sleep 0.005; done`;
    assert.equal(await run(`(${waiting}; ${printing}; touch '${done}') & echo now`), 'now\nexit code 0');
    writeFileSync(go, '');
    for (let polls = 0; polls < 1_000 && !existsSync(done); polls++) await sleep(5);
    // All of it is in the pipe; each turn of the event loop reads what that holds.
    for (let turns = 0; turns < 5; turns++) await turn();
    const result = await run('echo next');
    assert.match(result, shown);
    assert.ok(result.length < 700, `${result.length} characters`);
  }
  assert.equal(await run('echo after that'), 'after that\nexit code 0');
});

test('what comes in one piece with the end of a command is not lost', async () => {
  const afterTheEnd = `printf() { builtin printf "$1late\\n" "\${@:2}"; unset -f printf; }`;
  assert.equal(await run(afterTheEnd), 'exit code 0');
  assert.equal(await run('echo next'), 'late\nnext\nexit code 0');
});

test('a flood of output is cut, and its exit code still seen', async () => {
  const result = await run('seq 1 200000; exit_code() { return 7; }; exit_code');
  assert.ok(result.length < 2_200, `${result.length} characters`);
  assert.match(result, /^1\n2\n/);
  assert.match(result, /cut: \d+ more characters/);
  assert.match(result, /exit code 7$/);
});

test('a shell that ends is replaced', async () => {
  assert.equal(await run('echo bye; exit 3'), 'bye\nexit code 3: the shell ended; a new one was started');
  assert.equal(await run('echo "[$word]"'), '[]\nexit code 0');
});

test('a command that hangs is ended, with the shell replaced', async () => {
  assert.match(await run('sleep 30', 40), /^exit code none: ended after 0 s; a new shell/);
  assert.equal(await run('echo again'), 'again\nexit code 0');
});
