import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RunSpec } from '#archive/schema.ts';
import { errorResponse } from '#services/gateway/errors.ts';
import { sumTask, textFiles } from '#test/evaluator/builders.ts';
import { workingDrivers } from '#test/provision/drivers.ts';
import { attempt, completion, obedientAgent, treeOf } from './builders.ts';

const drivers = await workingDrivers();

describe.each(drivers.map((driver) => [driver.name, driver] as const))('a proposal under %s', (_, driver) => {
  it('is viable when the child passes every step, and names its tree', async () => {
    const { result, child, progress } = await attempt({
      driver,
      improvement: "fs.writeFileSync('more.mjs', 'export const more = 1;\\n')",
    });
    expect(result).toMatchObject({ kind: 'proposal', outcome: 'viable', title: 'A better agent' });
    expect(result.steps.map(({ step, passed }) => [step, passed])).toEqual(
      ['apply', 'paths', 'duplicate', 'parse', 'own-tests', 'start', 'smoke', 'self-edit'].map((step) => [step, true]),
    );
    expect(child?.map((file) => file.path)).toContain('more.mjs');
    expect(child?.map((file) => file.path)).not.toContain('NOTES.md');
    expect(result.transcript).toContain('=== self-edit ===\nasked: Improve this coding agent: A better agent\n');
    expect(result.transcript).toContain('1 test passed');
    expect(progress).toEqual([
      'preparing the parent',
      'diagnosing none',
      'editing A better agent',
      'checking apply',
      'checking parse',
      'checking parse',
      'checking own-tests',
      'checking start',
      'checking smoke',
      'checking self-edit',
    ]);
  });
});

describe('a proposal', () => {
  it.each([
    ['empty', 'nothing changes', ''],
    ['crashed', 'the editor fails', 'throw new Error("no")'],
    ['too-large', 'the patch is over 2 MiB', "fs.writeFileSync('big.txt', 'all work and no play\\n'.repeat(120_000))"],
    ['forbidden-path', 'it adds a link', "fs.symlinkSync('/etc/passwd', 'passwd')"],
    ['empty', 'it adds nothing but a binary file', "fs.writeFileSync('blob', Buffer.alloc(9))"],
    ['does-not-parse', 'a module has a syntax error', "fs.writeFileSync('skill.mjs', 'export const fixed = ;')"],
    ['does-not-parse', 'a file of TypeScript has one', "fs.writeFileSync('unused.ts', 'const a: = 1;')"],
    ['does-not-parse', 'a CommonJS file has one', "fs.writeFileSync('unused.cjs', 'const const')"],
    ['does-not-parse', 'agent.json is not JSON', "fs.writeFileSync('agent.json', '{')"],
    ['does-not-parse', 'agent.json is gone', "fs.rmSync('agent.json')"],
    ['own-tests-fail', 'its tests fail', "fs.writeFileSync('check.mjs', 'console.log(\"not ok\"); process.exit(1)')"],
    [
      'own-tests-fail',
      'it drops its tests',
      `fs.writeFileSync('agent.json', '{"name": "x", "command": ["node", "main.mjs"]}')`,
    ],
    ['does-not-start', 'an import is missing', "fs.appendFileSync('main.mjs', 'import \"./gone.mjs\";')"],
    ['does-not-start', 'it answers something else', "fs.writeFileSync('main.mjs', 'console.log(\"{}\")')"],
    ['fails-smoke', 'it has lost its skill', "fs.writeFileSync('skill.mjs', 'export const fixed = \"\";')"],
    [
      'fails-smoke',
      'it does nothing when asked',
      "fs.writeFileSync('main.mjs', 'console.log(JSON.stringify({ ok: true }))')",
    ],
    [
      'cannot-self-edit',
      'it no longer edits itself',
      "fs.writeFileSync('main.mjs', fs.readFileSync('main.mjs', 'utf8').replace('appendFileSync', 'existsSync'))",
    ],
    [
      'cannot-self-edit',
      'it writes another line',
      "fs.writeFileSync('main.mjs', fs.readFileSync('main.mjs', 'utf8').replace('[0]', '[0].slice(1)'))",
    ],
  ])('is %s when %s', async (outcome, _what, improvement) => {
    const { result } = await attempt({ improvement });
    expect(result).toMatchObject({ outcome, tree: null, title: 'A better agent' });
    expect(result.reason).not.toBe('');
    expect(result.steps.filter((step) => !step.passed).map((step) => step.detail)).toEqual(
      result.steps.length === 0 ? [] : [result.reason],
    );
  });

  it('survives a child that fills its own sandbox with processes and output', async () => {
    const { result } = await attempt({
      improvement:
        'fs.writeFileSync(\'check.mjs\', \'import { spawn } from "node:child_process"; for (let i = 0; i < 5; i++) spawn("sleep", ["60"], { detached: true, stdio: "inherit" }).unref(); console.log("x".repeat(5e6)); process.exit(1)\')',
    });
    expect(result.outcome).toBe('own-tests-fail');
    expect(result.transcript.length).toBeLessThan(500_000);
  });

  it('is no-diagnosis when the model states no improvement', async () => {
    for (const answer of ['I cannot help.', '{"title": "x"}', '{"title": "", "improvement": "y"}', '']) {
      const { result } = await attempt({ answer });
      expect(result).toMatchObject({ outcome: 'no-diagnosis', title: null, steps: [], patch: null });
    }
    const refused = await attempt({ model: async () => new Response('too long', { status: 400 }) });
    expect(refused.result).toMatchObject({
      outcome: 'no-diagnosis',
      reason: 'The model refused the question: too long',
    });
  });

  it('is a duplicate when the run has an agent of the same source', async () => {
    const known = new Set([treeOf(textFiles({ ...obedientAgent, 'more.mjs': 'x' }))]);
    const { result } = await attempt({ known, improvement: "fs.writeFileSync('more.mjs', 'x')" });
    expect(result.outcome).toBe('duplicate');
    expect(result.steps.map(({ step, passed }) => [step, passed])).toEqual([
      ['apply', true],
      ['paths', true],
      ['duplicate', false],
    ]);
  });

  it('does not apply when control says so', async () => {
    const { result } = await attempt({
      stage: async () => ({ rejected: 'does-not-apply', detail: 'line 3' }),
      improvement: "fs.writeFileSync('x.mjs', 'x')",
    });
    expect(result).toMatchObject({ outcome: 'does-not-apply', reason: 'line 3', tree: null });
    expect(result.steps).toMatchObject([{ step: 'apply', passed: false, detail: 'line 3' }]);
    expect(result.patch).toContain('x.mjs');
  });

  it('ends as timeout when the edit ran out of time with nothing changed, and goes on when something was', async () => {
    const within = (proposalSeconds: number) => ({
      spec: RunSpec.parse({ limits: { trialSeconds: 60, proposalSeconds } }),
    });
    const idle = await attempt({ job: within(0.8), improvement: 'for (;;);' });
    expect(idle.result).toMatchObject({ outcome: 'timeout', steps: [] });
    const improvement = "fs.writeFileSync('more.mjs', '//'); setInterval(() => {}, 1e6);";
    const late = await attempt({ job: within(4), improvement });
    expect(late.result.outcome).toBe('viable');
  });

  it('lets another agent make the edit where the run says so', async () => {
    const editor = {
      ...obedientAgent,
      'main.mjs': "import { writeFileSync } from 'node:fs';\nwriteFileSync('by-editor.mjs', '//');\n",
    };
    const { result, child } = await attempt({ editor });
    expect(result.outcome).toBe('viable');
    expect(child?.map((file) => file.path)).toContain('by-editor.mjs');
    expect(child?.map((file) => file.path)).toContain('skill.mjs');
  });

  it('asks the models of its run, each call with its role', async () => {
    const parent = {
      ...obedientAgent,
      'main.mjs': `import { appendFileSync } from 'node:fs';
      if (!process.argv.includes('--check')) await fetch(process.env.OPENAI_BASE_URL + '/chat/completions', {
        method: 'POST', body: JSON.stringify({ model: process.env.CLADE_MODEL }) });\n${obedientAgent['main.mjs']}`,
    };
    const calls: string[] = [];
    const spec = RunSpec.parse({ models: { trial: 'small', diagnosis: 'wise', selfEdit: 'large' } });
    const { result } = await attempt({
      parent,
      job: { spec },
      model: async (role, request) => {
        const { model } = z.object({ model: z.string() }).parse(await request.json());
        calls.push(`${role} ${model}`);
        return completion('{"title": "T", "improvement": "fs.writeFileSync(\'x.mjs\', \'//\')"}');
      },
    });
    expect(result.outcome).toBe('viable');
    expect(calls).toEqual(['diagnosis wise', 'selfEdit large', 'viability small', 'viability large']);
  });

  it('is no outcome when the model is not to be had', async () => {
    const model = async () =>
      errorResponse(502, { message: 'down', type: 'server_error', param: null, code: 'down' }, { infra: true });
    await expect(attempt({ model })).rejects.toThrow('The diagnosis model answered 502');
  });

  it('is no outcome when it is aborted', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('the lease is lost')), 300);
    await expect(attempt({ improvement: 'for (;;);', signal: stop.signal })).rejects.toThrow('the lease is lost');
  });

  it('never shows a solver of the smoke task how it is graded', async () => {
    const parent = {
      ...obedientAgent,
      'main.mjs': `${obedientAgent['main.mjs']}
      if (fs.existsSync('sum.mjs')) console.log('listing', fs.readdirSync('.').join());`,
    };
    const { result } = await attempt({
      parent,
      improvement: "fs.writeFileSync('x.mjs', '//')",
      job: { smokeTask: sumTask() },
    });
    expect(result.transcript).toContain('listing .git,README.md,config.json,sum.mjs,test');
    expect(result.transcript).not.toContain('hidden');
  });
});
