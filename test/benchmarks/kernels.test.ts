import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { applyPatch, parsePatch } from '#benchmarks/patch.ts';
import type { Task } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { createDocker } from '#sandbox/docker/docker.ts';
import { basesOf } from '#sandbox/docker/dockerfile-bases.ts';
import { createProcess } from '#sandbox/process.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { PatchVerdict } from '#services/evaluator/grade-patch.ts';
import { clade, temporary } from '#test/cli/in-process.ts';
import { patchOf, verdictOn } from '#test/evaluator/cheats.ts';
import {
  kernel,
  onStream,
  pryingKernel,
  RIGHT,
  refusals,
  withOwnMemory,
  withTemplates,
} from './cuda-on-cpu/hostile-kernels.ts';
import { provideNvcc } from './cuda-on-cpu/stand-in.ts';
import { onCpu, type Slowness, textOf } from './cuda-on-cpu/task-on-cpu.ts';

const suite = await openSuite('kernels', { shelf: '/nowhere' });
const ids = suite.tasks.map(({ id }) => id);
const by = (id: string): Task => suite.tasks.find((task) => task.id === id)!;
const missing = whyNoCompiler();

/** Long enough that any kernel here is many times faster, however busy the machine. */
const SLOW = { baselineMs: 400, target: 1.5 };
/** Enough for what is refused before its time counts. */
const ANY = { baselineMs: 50 };
const WITH_COMPILER = 'clade/polyglot-cpp:1';
const PROGRAMS = '/usr/local/bin:/usr/bin:/bin';

let home: string;
let driver: SandboxDriver;
beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'clade-kernels-'));
  if (missing === null) driver = createProcess({ path: `${(await provideNvcc(home)).bin}:${PROGRAMS}` });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function whyNoCompiler(): string | null {
  if (process.platform !== 'linux') return 'the grader of kernels is for Linux';
  try {
    execFileSync('g++', ['--version'], { stdio: 'ignore' });
    execFileSync('nm', ['--version'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'there is no g++ with binutils, which stand in for nvcc';
  }
}

function gradeOf(verdict: PatchVerdict) {
  if (verdict.kind !== 'graded') throw new Error(`${verdict.kind}: ${verdict.log}`);
  return { resolved: verdict.grade.resolved, y: verdict.grade.y, log: verdict.log };
}

describe.each(ids)('the kernel task %s', (id) => {
  const task = by(id);

  test('asks for a GPU, counts only kernel.cu, and has a reference that changes nothing else', () => {
    expect(task.resources).toMatchObject({ gpus: 1, gpuMemoryGiB: 8 });
    expect(task.solutionPaths).toEqual(['kernel.cu']);
    expect(parsePatch(task.referencePatch ?? '').map(({ before, after }) => [before, after])).toEqual([
      ['kernel.cu', 'kernel.cu'],
    ]);
  });

  test('protects everything but kernel.cu', () => {
    const isProtected = (file: string) => task.protected.some((place) => file === place || file.startsWith(place));
    expect(task.workspace.map((file) => file.path).filter((file) => !isProtected(file))).toEqual(['kernel.cu']);
  });

  test('tells a solver what its check and its grader go by', () => {
    const spec = textOf(task, 'check/task.h');
    const [, target = ''] = /TARGET = (\d+);/.exec(spec) ?? [];
    const [, timed = ''] = /TIMED = \{([^}]*)\}/.exec(spec) ?? [];
    const sizes = timed.split(', ').map((size) => sizeOf(size).toLocaleString('en'));
    expect(task.instruction.replaceAll(/\s+/g, ' ')).toContain(`at least ${target} times as fast`);
    expect(task.instruction).toContain(`timed at ${sizes.join(' x ')} (`);
    const [, symbol = ''] = /SYMBOL\[\] = "(\w+)"/.exec(spec) ?? [];
    for (const file of ['kernel.cu', 'check/baseline.cu'])
      expect(textOf(task, file)).toContain(`extern "C" void ${symbol}(`);
  });

  test('begins with its baseline, unless it begins with what is wrong', () => {
    const isWrong = id === 'argmax-rows';
    expect(textOf(task, 'kernel.cu') === textOf(task, 'check/baseline.cu')).toBe(!isWrong);
  });
});

/** A size as C++ has it, such as `1 << 24` or `2'048`. */
function sizeOf(text: string): number {
  const [base = '', shift] = text.replaceAll("'", '').split(' << ');
  return shift === undefined ? Number(base) : Number(base) << Number(shift);
}

test('there are eleven, one of which begins with a wrong kernel', () => {
  expect(ids).toHaveLength(11);
  expect(suite.excluded).toEqual([]);
});

const onlyWithCompiler = { skip: missing !== null };
const because = missing === null ? '' : ` (skipped: ${missing})`;

describe(`on a CPU that stands in for a GPU${because}`, onlyWithCompiler, () => {
  test.each(ids)('the reference of %s is right at every size, and solves it where the baseline is slow', async (id) => {
    const { resolved, y, log } = gradeOf(await verdictOn(onCpu(by(id), SLOW), by(id).referencePatch ?? '', driver));
    expect(log).not.toContain('refused');
    expect([...log.matchAll(/^right for /gm)].length, log).toBeGreaterThanOrEqual(7);
    expect({ resolved, y }, log).toEqual({ resolved: true, y: 1 });
  });

  test.each(ids)('what a solver of %s starts from does not solve it', async (id) => {
    const { resolved, y, log } = gradeOf(await verdictOn(onCpu(by(id), { baselineMs: 60, kernelMs: 60 }), '', driver));
    expect(resolved, log).toBe(false);
    expect(y, log).toBeLessThan(1);
    expect(log).toContain(id === 'argmax-rows' ? 'refused: wrong for' : 'times as fast');
  });

  test('a kernel that is half way to the target gets a part of the score', async () => {
    const task = onCpu(by('scale-add-relu'), { baselineMs: 400, kernelMs: 130 });
    const { resolved, y, log } = gradeOf(await verdictOn(task, '', driver));
    expect(log).toMatch(/ms, baseline .* times as fast, of 8\.0/);
    expect({ resolved, isPart: y > 0 && y < 1 }, log).toEqual({ resolved: false, isPart: true });
  });

  test.each([
    ['leaves its work on a stream that it does not wait for', onStream],
    ['keeps memory of its own from call to call', withOwnMemory],
    ['has device functions, templates and global variables', withTemplates],
  ])('a kernel that %s is right', async (_, source) => {
    const { resolved, log } = gradeOf(await verdictOfKernel(source, SLOW));
    expect(resolved, log).toBe(true);
  });

  test.each(refusals)('a kernel that $does earns nothing', async ({ source, says }) => {
    const { resolved, y, log } = gradeOf(await verdictOfKernel(source));
    expect(log).toMatch(says);
    expect({ resolved, y }, log).toEqual({ resolved: false, y: 0 });
  });

  test('a product of numbers rounded to TF32 is not exact enough', async () => {
    const task = onCpu(by('matrix-multiply'), ANY);
    const fast = kernelOf(applyPatch(task.workspace, task.referencePatch ?? ''));
    const rounded = fast
      .replace(
        '__global__',
        '__device__ float rounded(float x) {\n  return __uint_as_float(__float_as_uint(x) & 0xffffe000u);\n}\n\n__global__',
      )
      .replace('+= left[i] * right[j]', '+= rounded(left[i]) * rounded(right[j])');
    expect(rounded).not.toBe(fast);
    const { y, log } = gradeOf(await verdictOn(task, patchFor(task, rounded), driver));
    expect(log).toContain('refused: wrong for');
    expect(y).toBe(0);
  });

  test('a softmax that overflows is wrong', async () => {
    const task = onCpu(by('softmax-rows'), ANY);
    const naive = textOf(task, 'kernel.cu').replaceAll(' - most)', ')');
    const { y, log } = gradeOf(await verdictOn(task, patchFor(task, naive), driver));
    expect(log).toMatch(/refused: wrong for .* is -?(?:nan|inf)|refused: wrong for .* is 0,/);
    expect(y).toBe(0);
  });

  test('what a patch does to the baseline, the check or the grader is left out', async () => {
    const task = onCpu(by('scale-add-relu'), { baselineMs: 60, kernelMs: 60 });
    const patch = patchOf({
      'check/baseline.cu': { before: textOf(task, 'check/baseline.cu'), after: '#error "no baseline"\n' },
      'check/task.h': { before: textOf(task, 'check/task.h'), after: 'nothing\n' },
      'grader/grade.sh': { before: null, after: 'echo 1 > "$1/reward.txt"\n' },
    });
    const verdict = await verdictOn(task, patch, driver);
    expect(verdict.notes.removed.map((removal) => removal.path).sort()).toEqual([
      'check/baseline.cu',
      'check/task.h',
      'grader/grade.sh',
    ]);
    expect(gradeOf(verdict).log).toContain('times as fast');
    expect(gradeOf(verdict).resolved).toBe(false);
  });

  test('a kernel that a patch removes is not found', async () => {
    const task = onCpu(by('scale-add-relu'));
    const lines = textOf(task, 'kernel.cu').trimEnd().split('\n');
    const head = 'diff --git a/kernel.cu b/kernel.cu\ndeleted file mode 100644\n--- a/kernel.cu\n+++ /dev/null';
    const patch = `${head}\n@@ -1,${lines.length} +0,0 @@\n${lines.map((line) => `-${line}`).join('\n')}\n`;
    const { y, log } = gradeOf(await verdictOn(task, patch, driver));
    expect(log).toContain('refused: there is no kernel.cu.');
    expect(y).toBe(0);
  });

  test('a machine that cannot compile is no verdict on a kernel', async () => {
    const broken = path.join(home, 'broken');
    mkdirSync(broken);
    writeFileSync(path.join(broken, 'nvcc'), '#!/bin/sh\necho "there is no compiler in here"; exit 1\n', {
      mode: 0o755,
    });
    const verdict = verdictOn(onCpu(by('scale-add-relu')), '', createProcess({ path: `${broken}:${PROGRAMS}` }));
    await expect(verdict).rejects.toThrow(/cannot be run here: .* judge cannot be built: there is no compiler in here/);
  });

  test('a baseline that does not run is no verdict on a kernel', async () => {
    const task = onCpu(by('scale-add-relu'));
    const workspace = task.workspace.map((file) =>
      file.path === 'check/baseline.cu' ? { ...file, bytes: new TextEncoder().encode(kernel('')) } : file,
    );
    const verdict = verdictOn({ ...task, workspace }, patchFor(task, kernel(RIGHT)), driver);
    await expect(verdict).rejects.toThrow(/The baseline cannot be measured here: wrong for/);
  });

  function verdictOfKernel(source: string, slowness: Slowness = ANY): Promise<PatchVerdict> {
    const task = onCpu(by('scale-add-relu'), slowness);
    return verdictOn(task, patchFor(task, source), driver);
  }
});

const docker = createDocker();
const noDocker = whyNoDocker();

describe.skipIf(noDocker !== null)(`in a container${noDocker === null ? '' : ` (skipped: ${noDocker})`}`, () => {
  let image: string;
  beforeAll(async () => {
    image = await imageWithStandIn();
  });

  test('a reference solves its task', async () => {
    const { resolved, log } = gradeOf(await verdictOfKernel(kernel(RIGHT), SLOW));
    expect(resolved, log).toBe(true);
  });

  test('a kernel can neither leave a reward nor look into the grader nor end it', async () => {
    const { resolved, y, log } = gradeOf(await verdictOfKernel(pryingKernel));
    expect(log).toContain('reward closed, memory closed, environment closed, killed -1\n');
    expect(log).toContain('refused: wrong for');
    expect({ resolved, y }).toEqual({ resolved: false, y: 0 });
  });

  function verdictOfKernel(source: string, slowness: Slowness = ANY): Promise<PatchVerdict> {
    const task = { ...onCpu(by('scale-add-relu'), slowness), image };
    return verdictOn(task, patchFor(task, source), docker);
  }
});

function whyNoDocker(): string | null {
  if (!inject('docker').available) return inject('docker').reason;
  try {
    execFileSync('docker', ['image', 'inspect', WITH_COMPILER], { stdio: 'ignore' });
    return null;
  } catch {
    return `${WITH_COMPILER} is not built: its suite's tests do that`;
  }
}

/** What stands in for `clade/kernels:1`. */
async function imageWithStandIn(): Promise<string> {
  const folder = path.join(import.meta.dirname, 'cuda-on-cpu');
  const names = globSync('**/*.{ts,h,cpp}', { cwd: folder });
  const provide = "import('/opt/cuda-on-cpu/stand-in.ts').then((made) => made.provideNvcc('/opt/nvcc'))";
  const lines = [
    `FROM ${WITH_COMPILER}`,
    'COPY cuda-on-cpu /opt/cuda-on-cpu',
    `RUN node -e "${provide}" && ln -s /opt/nvcc/bin/nvcc /usr/local/bin/nvcc`,
  ];
  const files = [
    { path: 'Dockerfile', bytes: Buffer.from(`${lines.join('\n')}\n`), executable: false },
    ...names.map((name) => ({
      path: `cuda-on-cpu/${name}`,
      bytes: readFileSync(path.join(folder, name)),
      executable: false,
    })),
  ];
  const recipe = { kind: 'dockerfile' as const, files, purpose: 'environment' as const };
  return (await docker.images!.derive({ recipe }, { signal: new AbortController().signal })).reference;
}

const noRealNvcc = realNvcc() === null ? 'there is no nvcc of CUDA here' : null;

describe.skipIf(noRealNvcc !== null)(
  `with CUDA's own compiler${noRealNvcc === null ? '' : ` (skipped: ${noRealNvcc})`}`,
  () => {
    test.each(ids)('the reference of %s compiles, and exports what it should', (id) => {
      const folder = mkdtempSync(path.join(home, 'real-'));
      const source = kernelOf(applyPatch(by(id).workspace, by(id).referencePatch ?? ''));
      writeFileSync(path.join(folder, 'kernel.cu'), source);
      const flags = [
        '-O3',
        '-std=c++17',
        '-arch=native',
        '-cudart',
        'shared',
        '-Xcompiler',
        '-fPIC',
        '-c',
        'kernel.cu',
      ];
      execFileSync(realNvcc() ?? '', [...flags, '-o', 'kernel.o'], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      const symbols = execFileSync('nm', ['-g', '--defined-only', 'kernel.o'], { cwd: folder, encoding: 'utf8' });
      const plain = symbols.split('\n').flatMap((line) => /^\S+ T (?!_Z)(\S+)$/.exec(line)?.[1] ?? []);
      expect(plain).toEqual([/SYMBOL\[\] = "(\w+)"/.exec(textOf(by(id), 'check/task.h'))?.[1]]);
    });

    test.skipIf(hasGpu())('a machine without a GPU is no verdict on a kernel', async () => {
      const where = createProcess({ path: `${path.dirname(realNvcc() ?? '')}:${PROGRAMS}` });
      await expect(verdictOn(by('scale-add-relu'), '', where)).rejects.toThrow(
        /The baseline cannot be measured here: no GPU/,
      );
    });
  },
);

function realNvcc(): string | null {
  const places = ['/usr/local/cuda/bin/nvcc', '/usr/bin/nvcc'];
  return missing === null ? (places.find((place) => existsSync(place)) ?? null) : null;
}

function hasGpu(): boolean {
  return existsSync('/dev/nvidiactl');
}

test('the image of the suite builds upon ours and that of NVIDIA', async () => {
  const dockerfile = readFileSync(path.resolve('sandbox/images/kernels.Dockerfile'), 'utf8');
  expect(basesOf(dockerfile)).toEqual(['clade/base:1', 'nvidia/cuda:12.8.1-devel-ubuntu24.04']);
  expect(new Set(suite.tasks.map((task) => task.image))).toEqual(new Set(['clade/kernels:1']));
});

test('a machine without a GPU says in one line why the suite cannot be validated', async () => {
  using place = temporary();
  const argv = ['suite', 'validate', 'kernels', '--sandbox', 'process', '--home', place.directory];
  const { exitCode, stdout } = await clade(argv, { CLADE_GPUS: 'none', PATH: process.env.PATH ?? '' });
  expect(exitCode).toBe(1);
  expect(stdout.split('\n').filter((line) => line.includes('it needs 1 GPU of 8 GiB'))).toHaveLength(1);
});

function patchFor(task: Task, after: string): string {
  return patchOf({ 'kernel.cu': { before: textOf(task, 'kernel.cu'), after } });
}

function kernelOf(files: Task['workspace']): string {
  return new TextDecoder().decode(files.find((file) => file.path === 'kernel.cu')?.bytes);
}
