import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Task } from '#benchmarks/schema.ts';
import { type Sandbox, type SandboxDriver, SandboxGone } from '#sandbox/sandbox.ts';
import { packTar } from '#sandbox/tar.ts';
import { evaluate, type TrialPlan } from '#services/evaluator/evaluate.ts';
import { errorResponse } from '#services/gateway/errors.ts';
import { workingDrivers } from '#test/provision/drivers.ts';
import { scriptedAgent, shellAgent, solvesSum, sumTask, testLabels, testLimits, textFiles } from './builders.ts';

const drivers = await workingDrivers();

describe.each(drivers.map((driver) => [driver.name, driver] as const))('a trial under %s', (_, driver) => {
  // What does not depend on the driver is tried with the quickest.
  const once = it.runIf(driver.name === 'process');
  const trial = (source: Uint8Array, change: Partial<TrialPlan> = {}) => runTrial(driver, source, change);

  it('is resolved when the change passes the hidden tests', async () => {
    const result = await trial(scriptedAgent(`${solvesSum}console.log('edited', task.hints.length, 'hint');`));
    expect(result).toMatchObject({ outcome: 'resolved', y: 1, transcript: 'edited 1 hint\n' });
    expect(result.patch).toContain('+  return a + b;');
    expect(result.graderLog).toContain('all is well');
    expect(result.solveMs).toBeGreaterThan(0);
    expect(result.gradeMs).toBeGreaterThan(0);
  });

  once('is unresolved when the change does not', async () => {
    const result = await trial(scriptedAgent("fs.appendFileSync('sum.mjs', '// looks fine\\n');"));
    expect(result).toMatchObject({ outcome: 'unresolved', y: 0 });
    expect(result.graderLog).toContain('add(2, 3) is -1');
  });

  it('shows an agent that may try twice what its first change came to, and goes on from that', async () => {
    const learns = `const isSecond = task.instruction.includes('add(2, 3) is -1');
      if (isSecond) {
        console.log('began with', fs.readFileSync('note.txt', 'utf8'));
        ${solvesSum}
      } else fs.writeFileSync('note.txt', 'a first change\\n');`;
    const result = await trial(scriptedAgent(learns), { task: sumTask({ tries: 2 }) });
    expect(result).toMatchObject({ outcome: 'resolved', y: 1 });
    expect(result.patch).toContain('note.txt');
    expect(result.patch).toContain('+  return a + b;');
    expect(result.transcript).toContain('=== second try ===\nbegan with a first change');
    expect(await trial(scriptedAgent(learns))).toMatchObject({ outcome: 'unresolved' });
  });

  it('tells an agent the same to the letter when it is done again, in both tries', async () => {
    const shows = `console.log(JSON.stringify({ task, directory: process.cwd(), environment: process.env }));
      for (const command of ['ls .', 'git log', 'hostname'])
        console.log(execFileSync('sh', ['-c', command], { encoding: 'utf8' }));
      fs.appendFileSync('note.txt', 'again\\n');`;
    const plan = { task: sumTask({ tries: 2 }), labels: { ...testLabels, job: 'r000000-t7' } };
    const first = await trial(scriptedAgent(shows), plan);
    expect(first.transcript).toContain('second try');
    expect(first.transcript).toContain('"TZ":"UTC"');
    const again = await trial(scriptedAgent(shows), plan);
    expect(again.transcript).toBe(first.transcript);
  });

  once('has two tries at the most, and a second one only after a change that fails', async () => {
    const counts = "console.log('tried'); fs.appendFileSync('note.txt', 'again\\n');";
    const failing = await trial(scriptedAgent(counts), { task: sumTask({ tries: 2 }) });
    expect(failing).toMatchObject({ outcome: 'unresolved', transcript: 'tried\n\n=== second try ===\ntried\n' });
    const idle = await trial(scriptedAgent("console.log('tried');"), { task: sumTask({ tries: 2 }) });
    expect(idle).toMatchObject({ outcome: 'empty-patch', transcript: 'tried\n' });
    const solved = await trial(scriptedAgent(`console.log('tried');${solvesSum}`), { task: sumTask({ tries: 2 }) });
    expect(solved).toMatchObject({ outcome: 'resolved', transcript: 'tried\n' });
  });

  once('is tampered with when tests that cannot pass pass with the change', async () => {
    const exits = "fs.appendFileSync('sum.mjs', 'process.exit(0);\\n');";
    const result = await trial(scriptedAgent(exits));
    expect(result).toMatchObject({ outcome: 'tampered', y: 0, grading: { canary: 'passed' } });
    expect(result.graderLog).toContain('some that cannot pass are said to have passed');
  });

  once('keeps what was left out of the change, and what looks odd in the transcript', async () => {
    const digs = "fs.writeFileSync('conftest.py', ''); console.log('$ git log --all --oneline');";
    const result = await trial(scriptedAgent(solvesSum + digs));
    expect(result).toMatchObject({ outcome: 'resolved', grading: { canary: 'failed', image: null } });
    expect(result.grading?.removed).toEqual([{ path: 'conftest.py', rule: expect.stringContaining('pytest') }]);
    expect(result.grading?.audit).toHaveLength(1);
  });

  once('needs a driver with images for a workspace that is in one', async () => {
    const task = sumTask({ workspaceIn: 'image', workspace: [], workdir: '/testbed' });
    await expect(trial(scriptedAgent(solvesSum), { task })).rejects.toThrow('use the docker sandbox');
  });

  it('is an empty patch when nothing changed', async () => {
    const result = await trial(scriptedAgent("console.log('nothing to do');"));
    expect(result).toMatchObject({ outcome: 'empty-patch', y: 0, patch: '', graderLog: null, gradeMs: 0 });
  });

  it('ends at its deadline, and a patch left behind still counts when it solves the task', async () => {
    const waits = 'setInterval(() => {}, 1e6);';
    const solved = await trial(scriptedAgent(solvesSum + waits), { trialMs: 4_000 });
    expect(solved).toMatchObject({ outcome: 'resolved', y: 1 });
    const unsolved = await trial(scriptedAgent(`fs.writeFileSync('note.txt', 'hm');${waits}`), { trialMs: 4_000 });
    expect(unsolved).toMatchObject({ outcome: 'timeout', y: 0 });
    expect(unsolved.patch).toContain('note.txt');
    const idle = await trial(scriptedAgent('for (;;);'), { trialMs: 700 });
    expect(idle).toMatchObject({ outcome: 'timeout', y: 0, patch: '' });
  });

  it('is a crash when the agent fails without a change that solves the task', async () => {
    const idle = await trial(scriptedAgent("console.error('no idea'); process.exit(3);"));
    expect(idle).toMatchObject({ outcome: 'crashed', y: 0, patch: '' });
    expect(idle.reason).toContain('exit code 3');
    expect(idle.transcript).toContain('no idea');
    const wrong = await trial(scriptedAgent("fs.writeFileSync('note.txt', ''); throw new Error('oops');"));
    expect(wrong).toMatchObject({ outcome: 'crashed', y: 0 });
    const right = await trial(scriptedAgent(`${solvesSum}process.kill(process.pid, 'SIGKILL');`));
    expect(right).toMatchObject({ outcome: 'resolved', y: 1 });
  });

  once('is a crash when the agent has no valid manifest', async () => {
    const result = await trial(packTar(textFiles({ 'agent.json': '{"name": "x", "command": "node"}' })));
    expect(result).toMatchObject({ outcome: 'crashed', y: 0, patch: null });
    expect(result.reason).toContain('agent.json is not valid');
  });

  once.each([
    ['a binary file that was there before', "fs.appendFileSync('logo.png', Buffer.from([1, 0, 2]));", 'a binary file'],
    ['a binary file removed', "fs.rmSync('logo.png');", 'a binary file'],
    ['text that is not UTF-8', "fs.writeFileSync('latin.txt', Buffer.from([0x68, 0xe9, 0x0a]));", 'not UTF-8'],
    ['a link', "fs.symlinkSync('/etc/passwd', 'passwd');", 'a symbolic link'],
    ['a name that git gives a meaning to', "fs.writeFileSync('.gitattributes', '* -diff');", 'git gives a meaning'],
    ['a name with a control character', "fs.writeFileSync('a\\nb.txt', 'x');", 'control character'],
    ['more than 2 MiB', "fs.writeFileSync('big.txt', 'all work and no play\\n'.repeat(120_000));", 'over 2 MiB'],
  ])('refuses a patch with %s', async (_what, body, reason) => {
    const logo = { path: 'logo.png', bytes: Uint8Array.of(137, 80, 78, 71, 0, 1, 2), executable: false };
    const task = sumTask({ workspace: [...sumTask().workspace, logo] });
    const result = await trial(scriptedAgent(solvesSum + body), { task });
    expect(result).toMatchObject({ outcome: 'bad-patch', y: 0 });
    expect(result.reason).toContain(reason);
  });

  it('leaves new binary files out of the patch, and says so', async () => {
    const leaves = `fs.writeFileSync('image "1".png', Buffer.from([137, 80, 78, 71, 0, 1, 2]));
      fs.mkdirSync('deep'); fs.writeFileSync('deep/data.bin', Buffer.alloc(3_000_000));`;
    const result = await trial(scriptedAgent(`${solvesSum}${leaves}console.log('done');`));
    expect(result).toMatchObject({ outcome: 'resolved', y: 1 });
    expect(result.patch?.match(/^diff --git .*/gm)).toEqual(['diff --git a/sum.mjs b/sum.mjs']);
    expect(result.transcript).toBe(
      'done\n\n=== left out of the patch: new binary files ===\ndeep/data.bin, image "1".png\n',
    );
  });

  once('leaves out what running programs leaves behind, but not what the workspace began with', async () => {
    const compiled = { path: '__pycache__/kept.txt', bytes: new TextEncoder().encode('old\n'), executable: false };
    const leaves = `for (const dir of ['deep/__pycache__', '.pytest_cache', 'node_modules/a']) {
      fs.mkdirSync(dir, { recursive: true }); fs.writeFileSync(dir + '/text.txt', 'x');
    }
    fs.writeFileSync('sum.pyc', 'x'); fs.writeFileSync('__pycache__/kept.txt', 'new\\n');`;
    const task = sumTask({ workspace: [...sumTask().workspace, compiled] });
    const result = await trial(scriptedAgent(solvesSum + leaves), { task });
    expect(result).toMatchObject({ outcome: 'resolved', transcript: '' });
    expect(result.patch?.match(/^diff --git \S+/gm)).toEqual([
      'diff --git a/__pycache__/kept.txt',
      'diff --git a/sum.mjs',
    ]);
  });

  it('counts nothing but the solution where the task says which files that is', async () => {
    const sly = "fs.writeFileSync('added.mjs', 'process.exit(0);'); fs.writeFileSync('README.md', 'changed');";
    const task = sumTask({
      solutionPaths: ['sum.mjs'],
      hiddenTests: textFiles({
        'check/hidden.mjs': `import { existsSync } from 'node:fs';
if (existsSync('added.mjs')) await import('../added.mjs');
process.exit(1);
`,
      }),
    });
    const result = await trial(scriptedAgent(solvesSum + sly), { task });
    expect(result).toMatchObject({ outcome: 'unresolved', y: 0 });
    expect(result.graderLog).toMatch(/: README.md \(.*\n.*: added.mjs \(/);
    const solved = await trial(scriptedAgent(solvesSum + sly), { task: sumTask({ solutionPaths: ['sum.mjs'] }) });
    expect(solved).toMatchObject({ outcome: 'resolved', y: 1 });
  });

  once.each([
    ['removed', 'rm -rf .git'],
    ['replaced by a file', 'rm -rf .git; echo nonsense > .git'],
    ['committed to', 'git add -A; git commit -qm done'],
    [
      'given hooks and filters',
      'git config core.fsmonitor "touch /tmp/ran"; git config filter.x.clean "tr a-z A-Z"; echo "* filter=x" > .git/info/attributes',
    ],
  ])('takes the whole change when the repository was %s', async (_what, script) => {
    const result = await trial(shellAgent(`echo 'export const add = (a, b) => a + b;' > sum.mjs\n${script}\n`));
    expect(result).toMatchObject({ outcome: 'resolved' });
    expect(result.patch?.match(/^diff --git /gm)).toHaveLength(1);
  });

  it('takes files out of repositories that the agent made inside the workspace', async () => {
    const result = await trial(
      shellAgent(
        `${fixSum}mkdir -p inner empty\ncd inner && git init -q && echo hello > file.txt && git add . && git commit -qm x\ncd ../empty && git init -q\n`,
      ),
    );
    expect(result).toMatchObject({ outcome: 'resolved' });
    expect(result.patch).toContain('b/inner/file.txt');
    expect(result.patch).not.toContain('160000');
  });

  it('counts a workspace that was removed or replaced by a link as emptied', async () => {
    for (const script of ['cd / && rm -rf "$W"', 'cd / && rm -rf "$W" && ln -s / "$W"']) {
      const result = await trial(shellAgent(`W=$PWD\n${script} 2>/dev/null\nexit 0\n`));
      expect(result).toMatchObject({ outcome: 'unresolved', y: 0 });
      expect(result.patch).toContain('deleted file mode');
    }
  });

  it('is a crash when the agent destroys what the patch is taken from', async () => {
    const result = await trial(shellAgent(`${fixSum}rm -rf "$(dirname "$CLADE_TASK")/../clade/base.git"\n`));
    expect(result).toMatchObject({ outcome: 'crashed', y: 0, patch: null });
  });

  it('ends what the agent left running before the patch is taken', async () => {
    const beats: string[][] = [];
    const watched = watchExecs(driver, async (sandbox, argv) => {
      if (!argv.some((word) => word.includes(' diff --cached '))) return;
      const first = await beatOf(sandbox);
      await delay(100);
      beats.push([first, await beatOf(sandbox)]);
    });
    const heart = `setInterval(() => require('fs').appendFileSync(process.env.TMPDIR + '/beat', '1'), 5)`;
    const source = scriptedAgent(`${solvesSum}
      spawn(process.execPath, ['-e', ${JSON.stringify(heart)}], { detached: true, stdio: 'ignore' }).unref();
      while (!fs.existsSync(process.env.TMPDIR + '/beat')) await new Promise((done) => setTimeout(done, 5));`);
    expect(await runTrial(watched, source, {})).toMatchObject({ outcome: 'resolved' });
    expect(beats).toHaveLength(1);
    expect(beats[0]?.[0]).toMatch(/^\d+$/);
    expect(beats[0]?.[1]).toBe(beats[0]?.[0]);
  });

  once('keeps the head and the tail of a flood', async () => {
    const result = await trial(
      scriptedAgent(
        "console.log('first'); console.log('x'.repeat(99).concat('\\n').repeat(100_000)); console.log('last');",
      ),
    );
    expect(result.transcript.length).toBeLessThan(500_000);
    expect(result.transcript).toMatch(/^first\n/);
    expect(result.transcript).toMatch(/last\n$/);
  });

  once('strips terminal escapes from what the agent printed', async () => {
    const result = await trial(
      scriptedAgent("process.stdout.write('\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07bell\\x07\\r\\nend\\0\\n');"),
    );
    expect(result.transcript).toBe('red bell\nend\n');
  });

  it('leaves out what the patch does to protected files and to places of hidden tests', async () => {
    const result = await trial(
      scriptedAgent(`fs.writeFileSync('test/open.mjs', 'process.exit(0)');
        fs.writeFileSync('test/added.mjs', '');
        fs.writeFileSync('config.json', '{"strict": false}');
        fs.mkdirSync('check');
        fs.writeFileSync('check/hidden.mjs', 'process.exit(0)');
        fs.writeFileSync('README.md', 'changed');`),
    );
    expect(result).toMatchObject({ outcome: 'unresolved', y: 0 });
    expect(result.graderLog).toContain('Left out of the patch: check/hidden.mjs (');
    const solved = await trial(
      scriptedAgent(
        `${solvesSum}fs.rmSync('test', { recursive: true }); fs.writeFileSync('test', ''); fs.writeFileSync('check', '');`,
      ),
    );
    expect(solved).toMatchObject({ outcome: 'resolved', y: 1 });
  });

  it('shows the agent nothing of how it is graded', async () => {
    const result = await trial(scriptedAgent(showsEverything), {
      task: sumTask({
        failToPass: ['SECRET-NAME'],
        referencePatch: 'SECRET-PATCH',
        hiddenTests: textFiles({ 'check/hidden.mjs': 'SECRET-TEST' }),
      }),
    });
    expect(result.transcript).toContain('Make add() add.');
    expect(result.transcript).toContain('Adds numbers.');
    expect(result.transcript).not.toMatch(/SECRET|hidden/);
  });

  it('gives the agent the environment of its contract and nothing else', async () => {
    const result = await trial(scriptedAgent('console.log(Object.keys(process.env).join());'), { trialMs: 5_000 });
    const given = [
      'CLADE_TASK',
      'CLADE_MODEL',
      'CLADE_DEADLINE_MS',
      'PYTHONDONTWRITEBYTECODE',
      'PYTHONHASHSEED',
      'TZ',
      'OPENAI_BASE_URL',
      'OPENAI_API_KEY',
      'PATH',
      'HOME',
      'TMPDIR',
      'LANG',
    ];
    const more = ['CLADE_SANDBOX', 'PWD'];
    const seen = result.transcript.trim().split(',');
    expect(seen).toEqual(expect.arrayContaining(given));
    expect(seen.filter((name) => ![...given, ...more].includes(name))).toEqual([]);
  });

  it('carries the agent to its model', async () => {
    const asks = `const reply = await fetch(process.env.OPENAI_BASE_URL + '/models');\nconsole.log(await reply.text());`;
    const seen: string[] = [];
    const result = await runTrial(driver, scriptedAgent(asks), {}, async (request) => {
      seen.push(`${request.method} ${new URL(request.url).pathname}`);
      return Response.json({ data: [] });
    });
    expect(seen).toEqual(['GET /v1/models']);
    expect(result.transcript).toBe('{"data":[]}\n');
  });

  once('is no outcome when the model failed through no fault of the agent', async () => {
    const asks = `await fetch(process.env.OPENAI_BASE_URL + '/models');`;
    const down = async () =>
      errorResponse(502, { message: 'down', type: 'server_error', param: null, code: 'upstream' }, { infra: true });
    await expect(runTrial(driver, scriptedAgent(asks), {}, down)).rejects.toThrow(
      'the model gateway answered 502 (upstream)',
    );
    const solved = await runTrial(driver, scriptedAgent(solvesSum + asks), {}, down);
    expect(solved).toMatchObject({ outcome: 'resolved' });
  });

  once('keeps what the agent printed when what it left running ended the sandbox', async () => {
    const ending = onQuiesce(driver, new SandboxGone('The sandbox has ended: its keeper has ended.', 'program'));
    const result = await runTrial(ending, scriptedAgent(`${solvesSum}console.log('edited');`), {});
    expect(result).toMatchObject({ outcome: 'crashed', y: 0, patch: null, transcript: 'edited\n' });
    const late = await runTrial(ending, scriptedAgent("console.log('slow'); for (;;);"), { trialMs: 4000 });
    expect(late).toMatchObject({ outcome: 'timeout', y: 0, patch: null, transcript: 'slow\n' });
  });

  once.each(['harness', 'deadline'] as const)('is no outcome when the sandbox ended by its %s', async (endedBy) => {
    const ending = onQuiesce(driver, new SandboxGone('The sandbox has ended.', endedBy));
    await expect(runTrial(ending, scriptedAgent(solvesSum), {})).rejects.toThrow('The sandbox has ended.');
  });

  once('is no outcome when the sandbox ended before the agent ran', async () => {
    const early = watchExecs(driver, async (_sandbox, argv) => {
      if (argv.some((word) => word.includes('commit'))) throw new SandboxGone('The sandbox has ended.', 'program');
    });
    await expect(runTrial(early, scriptedAgent(solvesSum), {})).rejects.toThrow('The sandbox has ended.');
  });

  it('is no outcome when it is aborted', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('the lease is lost')), 300);
    const running = runTrial(driver, scriptedAgent('for (;;);'), {}, noModel, stop.signal);
    await expect(running).rejects.toThrow('the lease is lost');
  });
});

const fixSum = "echo 'export const add = (a, b) => a + b;' > sum.mjs\n";

const noModel = async () => new Response('{}', { status: 404 });

/** Prints every file that the agent can find of its task, its own directory and ours. */
const showsEverything = `
const root = process.env.CLADE_TASK.replace('/task/task.json', '');
const show = (dir) => {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const path = dir + '/' + entry.name;
    if (entry.isDirectory()) show(path);
    else if (entry.isFile()) console.log(path, fs.readFileSync(path, 'latin1'));
  }
};
for (const dir of ['workspace', 'agent', 'task', 'clade', 'tmp']) show(root + '/' + dir);
`;

async function beatOf(sandbox: Sandbox): Promise<string> {
  const files = await sandbox.take('/tmp', { maxBytes: 100_000, maxEntries: 100 });
  return new TextDecoder().decode(files.find((file) => file.path === 'beat')?.bytes);
}

/** The same driver, with a look at each sandbox before a program is run in it. */
function watchExecs(
  driver: SandboxDriver,
  look: (sandbox: Sandbox, argv: readonly string[]) => Promise<void>,
): SandboxDriver {
  return {
    ...driver,
    async open(spec, options) {
      const sandbox = await driver.open(spec, options);
      const exec: Sandbox['exec'] = async (argv, execOptions) => {
        await look(sandbox, argv);
        return sandbox.exec(argv, execOptions);
      };
      return new Proxy(sandbox, { get: (target, name) => (name === 'exec' ? exec : memberOf(target, name)) });
    },
  };
}

/** The same driver, whose sandboxes end when they are to be quiet. */
function onQuiesce(driver: SandboxDriver, error: Error): SandboxDriver {
  return {
    ...driver,
    async open(spec, options) {
      const sandbox = await driver.open(spec, options);
      const quiesce: Sandbox['quiesce'] = () => Promise.reject(error);
      return new Proxy(sandbox, { get: (target, name) => (name === 'quiesce' ? quiesce : memberOf(target, name)) });
    },
  };
}

/** A member as the object itself would use it: private fields do not go through a proxy. */
function memberOf(target: Sandbox, name: string | symbol): unknown {
  const member: unknown = Reflect.get(target, name, target);
  return typeof member === 'function' ? member.bind(target) : member;
}

function runTrial(
  driver: SandboxDriver,
  source: Uint8Array,
  change: Partial<TrialPlan> & { task?: Task },
  forward: (request: Request) => Promise<Response> = noModel,
  signal: AbortSignal = new AbortController().signal,
) {
  const plan = {
    source,
    task: sumTask(),
    model: 'rehearsal',
    limits: testLimits,
    labels: testLabels,
    trialMs: 20_000,
    ...change,
  };
  return evaluate(plan, { driver, forward, report: () => {}, signal });
}
