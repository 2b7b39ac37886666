import type { z } from 'zod';
import { reasonOf } from '#benchmarks/files.ts';
import { type GpuResources, type Task, type TaskFile, TaskManifest } from '#benchmarks/schema.ts';
import { SuiteError } from '#benchmarks/suite-error.ts';
import { taskOf } from '#benchmarks/task.ts';
import { readEnvironment, resolved } from './environment.ts';
import { errorIn, type Finding } from './finding.ts';
import { networkNeeded } from './network.ts';
import { mebibytesOf, readTaskConfig, type TaskConfig } from './task-config.ts';
import { filesBelow, readTaskFolder, type TaskFolder, textIn } from './task-folder.ts';
import { unsupported } from './unsupported.ts';

export interface HarborOptions {
  /** Keep tasks that need the network; they run only where the operator permits egress. */
  allowNetwork?: boolean;
}

export interface ReadTask {
  id: string;
  /** Null when there are errors among the findings. */
  task: Task | null;
  findings: Finding[];
}

/** What Harbor allows a verifier that names no limit of its own. */
const VERIFIER_SECONDS = 600;

/** Reads one task in Harbor's form. What is wrong with it is among the findings, all of it. */
export async function readHarborTask(dir: string, options: HarborOptions = {}): Promise<ReadTask> {
  try {
    return readFolder(await readTaskFolder(dir), options);
  } catch (error) {
    if (!(error instanceof SuiteError)) throw error;
    return { id: dir, task: null, findings: [errorIn('.', null, reasonOf(error))] };
  }
}

/** Does what `readHarborTask` does for a folder that was read already. */
export function readFolder(folder: TaskFolder, options: HarborOptions): ReadTask {
  const text = textIn(folder, 'task.toml');
  if (text === null)
    return { id: folder.id, task: null, findings: [errorIn('task.toml', null, 'is missing: every task needs one')] };
  const { config, findings, lineOf } = readTaskConfig(text);
  if (config === null) return { id: folder.id, task: null, findings: [...findings, ...plainFindings(folder)] };
  const parts = readParts(folder, config);
  const { environment, findings: ofEnvironment } = readEnvironment(folder, config, lineOf);
  const env = resolved(config.verifier.env ?? {});
  const { network, refusal } = networkNeeded(config, { testScript: parts.testScript, lineOf });
  findings.push(
    ...parts.findings,
    ...ofEnvironment,
    ...unsupported(folder, config, { lineOf, workdir: environment?.workdir ?? null }),
  );
  for (const { name, text: problem } of env.problems)
    findings.push(errorIn('task.toml', lineOf(['verifier', 'env', name]), `verifier.env.${name}: ${problem}`));
  if (refusal !== null && options.allowNetwork !== true) findings.push(refusal);
  if (findings.some(({ severity }) => severity === 'error') || environment === null)
    return { id: folder.id, task: null, findings };
  const manifest = {
    id: folder.id,
    title: config.task?.description?.split('\n')[0] || config.task?.name || folder.id,
    image: environment.image,
    workspaceIn: 'image' as const,
    workdir: environment.workdir,
    test: testOf(config, parts.testScript.text, env.values),
    resources: gpusOf(config),
    needs: needsOf(config.environment),
    network,
  };
  const { instruction, graderFiles, solutionFiles } = parts;
  const task = taskOf(manifest, { instruction, graderFiles, solutionFiles, environment: environment.environment });
  return { id: folder.id, task, findings };
}

const TEST_SCRIPT = 'tests/test.sh';

/** What is wrong whatever a broken `task.toml` was meant to say. */
function plainFindings(folder: TaskFolder): Finding[] {
  const hasSteps = [...folder.files.keys()].some((path) => path.startsWith('steps/'));
  return hasSteps ? [] : readParts(folder, {}).findings;
}

interface Parts {
  instruction: string;
  testScript: { path: string; text: string };
  graderFiles: TaskFile[];
  solutionFiles: TaskFile[];
  findings: Finding[];
}

/** The instruction, tests and solution; of a task with one step, those of the step, over the tests that all steps share. */
function readParts(folder: TaskFolder, config: Pick<TaskConfig, 'steps'>): Parts {
  const [step] = config.steps ?? [];
  const prefix = step ? `steps/${step.name}/` : '';
  const instruction = textIn(folder, `${prefix}instruction.md`);
  const shared = filesBelow(folder, 'tests/');
  const own = step ? moved(filesBelow(folder, `${prefix}tests/`), prefix) : [];
  const tests = new Map([...shared, ...own].map((file) => [file.path, file]));
  const script = tests.get(TEST_SCRIPT);
  const ownScript = own.some(({ path }) => path === TEST_SCRIPT);
  const findings: Finding[] = [];
  if (!TaskManifest.shape.id.safeParse(folder.id).success)
    findings.push(
      errorIn('.', null, `${folder.id} is no id: name the folder with letters, digits, dot, dash and underscore`),
    );
  if (instruction === null || instruction.trim() === '')
    findings.push(
      errorIn(
        `${prefix}instruction.md`,
        null,
        `is ${instruction === null ? 'missing' : 'empty'}: write there what a solver is asked to do`,
      ),
    );
  if (!script) findings.push(errorIn(`${prefix}${TEST_SCRIPT}`, null, 'is missing: it must test what the solver did'));
  return {
    instruction: instruction ?? '',
    testScript: {
      path: ownScript ? `${prefix}${TEST_SCRIPT}` : TEST_SCRIPT,
      text: script ? new TextDecoder().decode(script.bytes) : '',
    },
    graderFiles: [...tests.values()].map((file) => (file === script ? { ...file, executable: true } : file)),
    solutionFiles: moved(filesBelow(folder, `${prefix}solution/`), prefix),
    findings,
  };
}

function moved(files: readonly TaskFile[], prefix: string): TaskFile[] {
  return files.map((file) => ({ ...file, path: file.path.slice(prefix.length) }));
}

/** The command that a script's first line asks for, as the kernel would read it; bash for one without. */
function interpreterOf(script: string): string[] {
  const [, line] = /^#!\s*(\S.*?)\s*(?:\n|$)/.exec(script) ?? [];
  return line?.split(/\s+/) ?? ['/bin/bash'];
}

function testOf(config: TaskConfig, script: string, env: Record<string, string>): Task['test'] {
  const seconds = config.steps?.[0]?.verifier?.timeout_sec ?? config.verifier.timeout_sec ?? VERIFIER_SECONDS;
  return {
    command: [...interpreterOf(script), `/${TEST_SCRIPT}`],
    report: { kind: 'reward', directory: '/logs/verifier' },
    timeoutMs: Math.ceil(seconds * 1000),
    env,
  };
}

function gpusOf({ environment, metadata }: TaskConfig): z.input<typeof GpuResources> {
  const { gpus = 0, gpu_types: models = [] } = environment;
  return {
    gpus,
    ...(metadata.gpu_memory_gib === undefined ? {} : { gpuMemoryGiB: metadata.gpu_memory_gib }),
    ...(models.length === 0 ? {} : { gpuModel: models.join(', ') }),
  };
}

function needsOf({ cpus, memory_mb, storage_mb, memory, storage }: TaskConfig['environment']): Task['needs'] {
  const memoryMiB = memory_mb ?? (memory === undefined ? undefined : mebibytesOf(memory));
  const diskMiB = storage_mb ?? (storage === undefined ? undefined : mebibytesOf(storage));
  return {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(diskMiB === undefined ? {} : { diskMiB }),
  };
}
