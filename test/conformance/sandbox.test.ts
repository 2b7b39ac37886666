import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { SandboxGone, SandboxLimit } from '#sandbox/sandbox.ts';
import type { TarEntry } from '#sandbox/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { everyDriver } from '#test/provision/drivers.ts';
import { atLeast, processesWith, shell, someSleep, someSpec } from './sandbox-drivers.ts';

const INHERITING = fileURLToPath(new URL('./sandbox-inheriting-owner.ts', import.meta.url));
const soon = (): number => Date.now() + 30_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const file = (path: string, text: string, executable = false): TarEntry => ({ path, bytes: bytes(text), executable });
const plain = (entries: TarEntry[]) =>
  entries.map((entry) => ({ ...entry, bytes: Buffer.from(entry.bytes).toString('latin1') }));
const caps = { maxBytes: 1e6, maxEntries: 100 };

for (const { driver, missing } of await everyDriver()) {
  describe.skipIf(missing !== null)(`a ${driver.name} sandbox`, () => {
    beforeAll(async () => await driver.prepare('clade/base:1'), 600_000);
    const open = async (changes = {}) => await driver.open(someSpec(changes));

    describe('runs a program', () => {
      test('and tells its exit code, its stdout and its stderr apart', async () => {
        await using sandbox = await open();
        const ran = await shell(sandbox, 'echo out; echo err >&2; exit 3');
        expect(ran).toEqual({ exitCode: 3, timedOut: false, stdout: 'out\n', stderr: 'err\n' });
      });

      test('and says 128 + n when signal n ended it, 127 when there is no such program', async () => {
        await using sandbox = await open();
        const options = { env: sandbox.baseEnv, deadlineMs: soon() };
        expect((await sandbox.exec(['sh', '-c', 'kill -SEGV $$'], options)).exitCode).toBe(139);
        expect((await sandbox.exec(['no-such-program'], options)).exitCode).toBe(127);
      });

      test('and hands on every byte of stdin and stdout, whether or not it is text', async () => {
        await using sandbox = await open();
        const stdin = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
        const { stdout } = await sandbox.exec(['cat'], { env: sandbox.baseEnv, deadlineMs: soon(), stdin });
        expect(Buffer.compare(stdout.bytes, stdin)).toBe(0);
      });

      test('with an empty stdin when none is given', async () => {
        await using sandbox = await open();
        expect(await shell(sandbox, 'cat; echo end')).toMatchObject({ exitCode: 0, stdout: 'end\n' });
      });

      test('with no environment but what was given', async () => {
        await using sandbox = await open();
        const env = { PATH: sandbox.baseEnv.PATH ?? '', ODD: 'a "b"\n$c=\\' };
        const { stdout } = await sandbox.exec(['env', '-0'], { env, deadlineMs: soon() });
        const variables = new TextDecoder()
          .decode(stdout.bytes)
          .split('\0')
          .filter((line) => line !== '');
        // Its processes are found by this one, for want of anything better.
        const marks = driver.name === 'process' ? [`CLADE_SANDBOX=${sandbox.id}`] : [];
        expect(variables.sort()).toEqual([`ODD=${env.ODD}`, `PATH=${env.PATH}`, ...marks].sort());
      });

      test.skipIf(process.platform !== 'linux')('with nothing open but its stdin, stdout and stderr', async () => {
        await using sandbox = await open();
        expect((await shell(sandbox, 'ls /proc/$$/fd; :')).stdout).toBe('0\n1\n2\n');
      });

      test.skipIf(process.platform !== 'linux')('with nothing of what its owner was started with', async () => {
        const secret = await mkdtemp(path.join(tmpdir(), 'clade-secret-'));
        await writeFile(path.join(secret, 'file'), 'secret\n');
        await chmod(secret, 0o755);
        const argv = ['-c', 'exec 200<"$1"; shift; exec "$@"', 'sh', secret, process.execPath, INHERITING, driver.name];
        const { stdout } = await promisify(execFile)('bash', argv);
        await rm(secret, { recursive: true });
        expect(stdout).toBe('end\n');
      });

      test('and gives all that it printed, though a process that it left behind holds its output', async () => {
        await using sandbox = await open();
        const { stdout } = await sandbox.exec(['sh', '-c', 'sleep 1000 & seq 200000; seq 200000 >&2'], {
          env: sandbox.baseEnv,
          deadlineMs: soon(),
          maxOutputBytes: 2e6,
        });
        expect(stdout.totalBytes).toBe(1_288_895);
      });

      test('in /workspace, or in the directory that is named', async () => {
        await using sandbox = await open();
        const options = { env: sandbox.baseEnv, deadlineMs: soon() };
        const inWorkspace = await sandbox.exec(['pwd'], options);
        const inTask = await sandbox.exec(['pwd'], { ...options, cwd: '/task' });
        expect(Buffer.from(inWorkspace.stdout.bytes).toString().trim()).toBe(sandbox.path('/workspace'));
        expect(Buffer.from(inTask.stdout.bytes).toString().trim()).toBe(sandbox.path('/task'));
      });

      test('that finds node, git and bash, and places to write to', async () => {
        await using sandbox = await open();
        const script = `set -e
          for dir in ${['/workspace', '/agent', '/task', '/clade', '/tmp'].map((dir) => sandbox.path(dir)).join(' ')}; do
            echo 'echo ran' > $dir/program; chmod +x $dir/program; $dir/program
          done
          node -e 'console.log(6 * 7)'; bash -c 'echo bash $((1 + 1))'
          git init -q && git add program && git -c user.name=a -c user.email=b commit -q -m first && git log --format=%s`;
        const ran = await shell(sandbox, script);
        expect(ran).toMatchObject({ exitCode: 0, stdout: `${'ran\n'.repeat(5)}42\nbash 2\nfirst\n` });
      });

      test('and does not wait for the processes it leaves behind, which run on until they are quieted', async () => {
        await using sandbox = await open();
        const sleep = someSleep();
        expect(await shell(sandbox, `sleep ${sleep} & echo left`, 20_000)).toMatchObject({
          exitCode: 0,
          stdout: 'left\n',
        });
        await vi.waitFor(() => expect(processesWith(sleep)).toHaveLength(1), 10_000);
        await sandbox.quiesce();
        expect(processesWith(sleep)).toEqual([]);
        expect((await shell(sandbox, 'echo usable')).stdout).toBe('usable\n');
      });

      test('beside another one', async () => {
        await using sandbox = await open();
        const script = 'touch $0; for i in $(seq 200); do [ -e $1 ] && exit 0; sleep 0.05; done; exit 1';
        const meet = (mine: string, theirs: string) =>
          sandbox.exec(['sh', '-c', script, mine, theirs], { env: sandbox.baseEnv, deadlineMs: soon() });
        const ends = await Promise.all([meet('a', 'b'), meet('b', 'a')]);
        expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
      });
    });

    describe('caps what a program prints', () => {
      test('to its beginning and its end', async () => {
        await using sandbox = await open();
        const options = { env: sandbox.baseEnv, deadlineMs: soon(), maxOutputBytes: 20 };
        const { stdout, stderr } = await sandbox.exec(['sh', '-c', 'seq -w 1000; seq 3 >&2'], options);
        expect(new TextDecoder().decode(stdout.bytes)).toBe('0001\n0002\n\n[... 4980 bytes cut ...]\n0999\n1000\n');
        expect(stdout).toMatchObject({ totalBytes: 5000, cut: true });
        expect(stderr).toMatchObject({ totalBytes: 6, cut: false });
      });

      test('while it prints: 10 GB cost less than 64 MB here', async () => {
        await using sandbox = await open();
        const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + 20_000 };
        await sandbox.exec(['head', '-c', '20M', '/dev/zero'], options);
        const before = process.memoryUsage().rss;
        let most = before;
        const sampling = setInterval(() => {
          most = Math.max(most, process.memoryUsage().rss);
        }, 20);
        const { stdout, timedOut } = await sandbox.exec(['head', '-c', '10G', '/dev/zero'], options);
        clearInterval(sampling);
        expect(stdout.totalBytes).toBeGreaterThan(128 * 2 ** 20);
        if (!timedOut) expect(stdout.totalBytes).toBe(10 * 2 ** 30);
        expect(stdout.bytes.length).toBeLessThan(1.1 * 2 ** 20);
        expect((most - before) / 2 ** 20).toBeLessThan(64);
      });
    });

    describe('ends everything', () => {
      const sleep = someSleep();
      const stubborn = `trap '' TERM HUP INT
        sleep ${sleep} &
        setsid sh -c "trap '' TERM HUP INT; sleep ${sleep}; :" &
        (setsid sh -c "(sleep ${sleep} &) ; sleep ${sleep}" > /dev/null 2>&1 < /dev/null &)
        (cd / && setsid sleep ${sleep} &)
        cd / && env -i setsid sleep ${sleep} &
        echo started; sleep ${sleep}; sleep ${sleep}`;

      test('at the deadline: grandchildren, other sessions, those that ignore SIGTERM', async () => {
        await using sandbox = await open();
        const ran = await shell(sandbox, stubborn, await atLeast(sandbox, 1500));
        expect(ran).toMatchObject({ exitCode: null, timedOut: true, stdout: 'started\n' });
        expect(processesWith(sleep)).toEqual([]);
      });

      test('at a deadline that comes before the program has begun', async () => {
        await using sandbox = await open();
        for (let leftMs = 0; leftMs < 60; leftMs += 20) {
          const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + leftMs };
          const late = await sandbox.exec(['sleep', sleep], options);
          expect(late).toMatchObject({ exitCode: null, timedOut: true });
          expect(processesWith(sleep)).toEqual([]);
        }
        expect((await shell(sandbox, 'echo usable')).stdout).toBe('usable\n');
      });

      test('at the deadline, and leaves the files for the taking', async () => {
        await using sandbox = await open();
        await shell(sandbox, `echo work > file; ${stubborn}`, await atLeast(sandbox, 1000));
        expect(plain(await sandbox.take('/workspace', caps))).toEqual([
          { path: 'file', bytes: 'work\n', executable: false },
        ]);
        expect(await shell(sandbox, 'echo usable')).toMatchObject({ exitCode: 0, stdout: 'usable\n' });
      });

      test('at its own deadline, after which it is gone', async () => {
        await using sandbox = await open({ deadlineMs: Date.now() + 2500 });
        expect(await shell(sandbox, stubborn, 60_000)).toMatchObject({ exitCode: null, timedOut: true });
        await expect(shell(sandbox, 'true')).rejects.toThrow(SandboxGone);
        await expect(sandbox.take('/workspace', caps)).rejects.toThrow(SandboxGone);
        await expect(sandbox.put('/workspace', packTar([]))).rejects.toThrow(SandboxGone);
        expect(processesWith(sleep)).toEqual([]);
      });

      test('when aborted, with the reason of the signal', async () => {
        await using sandbox = await open();
        const reason = new Error('not wanted any more');
        const signal = AbortSignal.any([AbortSignal.timeout(700)]);
        const options = { env: sandbox.baseEnv, deadlineMs: soon() };
        const running = sandbox.exec(['sh', '-c', stubborn], { ...options, signal });
        await expect(running).rejects.toBe(
          await new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason))),
        );
        expect(processesWith(sleep)).toEqual([]);
        const aborted = sandbox.exec(['true'], { ...options, signal: AbortSignal.abort(reason) });
        await expect(aborted).rejects.toBe(reason);
        await expect(driver.open(someSpec(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      });

      test('when disposed of, twice without harm', async () => {
        const sandbox = await open();
        const running = shell(sandbox, stubborn).catch((error: unknown) => error);
        while (processesWith(sleep).length === 0) await delay(20);
        await sandbox[Symbol.asyncDispose]();
        await sandbox[Symbol.asyncDispose]();
        await driver.settled?.();
        expect(processesWith(sleep)).toEqual([]);
        expect(await running).toBeInstanceOf(SandboxGone);
        await expect(shell(sandbox, 'true')).rejects.toThrow(SandboxGone);
      });
    });

    describe('puts and takes files', () => {
      const odd = [
        'plain.txt',
        ' with  spaces ',
        'new\nline',
        '-rf',
        '--help',
        '..dots..',
        'quote\'"`$(x);&|*?[a]\\',
        'ünïcödé/日本語/🦊',
        `${'long-directory-name/'.repeat(10)}${'x'.repeat(200)}`,
        'tab\tbell\x07escape\x1b[31m',
        '.hidden/.file',
      ];

      test('with odd names, whatever they contain', async () => {
        await using sandbox = await open();
        const content = Uint8Array.from({ length: 1000 }, (_, at) => at & 0xff);
        const entries = odd.map((path, at) => ({ path, bytes: content.subarray(at), executable: at % 2 === 1 }));
        await sandbox.put('/workspace/in', packTar(entries));
        const taken = await sandbox.take('/workspace/in', caps);
        expect(plain(taken)).toEqual(plain(entries.sort((a, b) => (a.path < b.path ? -1 : 1))));
      });

      test('and replaces what was there, links included, without following them', async () => {
        await using sandbox = await open();
        const prepared = await shell(
          sandbox,
          'mkdir target && echo old > old && ln -s target/kept link && echo kept > target/kept',
        );
        expect(prepared.exitCode).toBe(0);
        await sandbox.put('/workspace', packTar([file('old', 'new'), file('link', 'no link')]));
        expect(plain(await sandbox.take('/workspace', caps))).toEqual([
          { path: 'link', bytes: 'no link', executable: false },
          { path: 'old', bytes: 'new', executable: false },
          { path: 'target/kept', bytes: 'kept\n', executable: false },
        ]);
      });

      test('and leaves out links, pipes and sockets, but not second names of a file', async () => {
        await using sandbox = await open();
        await shell(
          sandbox,
          'echo x > file && ln file hard && ln -s file soft && ln -s /etc dir && mkfifo pipe && mkdir empty',
        );
        const taken = await sandbox.take('/workspace', caps);
        expect(taken.map(({ path }) => path)).toEqual(['file', 'hard']);
      });

      test('and takes nothing where there is nothing', async () => {
        await using sandbox = await open();
        await shell(sandbox, 'mkdir -p empty/empty');
        expect(await sandbox.take('/workspace/empty', caps)).toEqual([]);
        expect(await sandbox.take('/workspace/missing', caps)).toEqual([]);
      });

      test('and takes no more than the caller is ready for', async () => {
        await using sandbox = await open();
        await shell(sandbox, 'head -c 5000 /dev/zero > a; head -c 5000 /dev/zero > b; touch c');
        expect(await sandbox.take('/workspace', { maxBytes: 10_000, maxEntries: 3 })).toHaveLength(3);
        await expect(sandbox.take('/workspace', { maxBytes: 9999, maxEntries: 3 })).rejects.toThrow(SandboxLimit);
        await expect(sandbox.take('/workspace', { maxBytes: 10_000, maxEntries: 2 })).rejects.toThrow(SandboxLimit);
        await shell(sandbox, 'head -c 30000000 /dev/zero > a');
        await expect(sandbox.take('/workspace', { maxBytes: 1000, maxEntries: 3 })).rejects.toThrow(SandboxLimit);
      });
    });

    describe('connects to a program', () => {
      test('by its stdin and stdout, as long as it runs', async () => {
        await using sandbox = await open();
        await using connection = await sandbox.connect(['sh', '-c', 'echo hello >&2; cat; echo over'], {
          env: sandbox.baseEnv,
        });
        const received = connection.stream.setEncoding('utf8')[Symbol.asyncIterator]();
        connection.stream.write('one');
        expect(await received.next()).toEqual({ done: false, value: 'one' });
        connection.stream.write('two');
        expect(await received.next()).toEqual({ done: false, value: 'two' });
        connection.stream.end();
        expect(await received.next()).toEqual({ done: false, value: 'over\n' });
        expect((await received.next()).done).toBe(true);
        expect(connection.stderr()).toBe('hello\n');
      });

      test('and carries megabytes both ways at once', async () => {
        await using sandbox = await open();
        await using connection = await sandbox.connect(['cat'], { env: sandbox.baseEnv });
        const sent = Buffer.alloc(8 * 2 ** 20, 'abcdefg');
        connection.stream.end(sent);
        const received: Buffer[] = [];
        for await (const chunk of connection.stream) received.push(chunk);
        expect(Buffer.concat(received).equals(sent)).toBe(true);
      });

      test('whose stream ends when everything is killed', async () => {
        await using sandbox = await open();
        const connection = await sandbox.connect(['cat'], { env: sandbox.baseEnv });
        connection.stream.resume();
        const ended = new Promise((resolve) => connection.stream.once('end', resolve));
        await sandbox.quiesce();
        await ended;
        await connection[Symbol.asyncDispose]();
      });
    });
  });
}
