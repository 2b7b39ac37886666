import { z } from 'zod';

/** How a test command says which tests passed. `exit-code`: it does not, 0 means that all did. */
export const ReportKind = z.enum(['tap', 'junit', 'pytest', 'jest', 'go-test', 'cargo-test', 'exit-code']);
export type ReportKind = z.infer<typeof ReportKind>;

/** Whose rules a SWE-bench log is graded by: those of the 5.0 harness, or of 4.1. */
export const SweBenchGrader = z.enum(['v5', 'v4.1']);
export type SweBenchGrader = z.infer<typeof SweBenchGrader>;

/** How the tests of a task say what came of them: a kind of report, or one that takes more words. */
export const ReportForm = z.union([
  ReportKind,
  z.discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('swe-bench'),
        parser: z.string().min(1).describe('Name of the log parser, such as parse_log_django.'),
        grader: SweBenchGrader.default('v5'),
        failOnly: z.boolean().default(false).describe('Only a test that is reported as failed counts as failed.'),
      })
      .describe('A log with markers around what the tests printed.'),
    z
      .strictObject({
        kind: z.literal('exit-marker'),
        pattern: z.string().min(1).describe('Regular expression with one group: the exit code. The last match counts.'),
      })
      .describe('A log in which a script says with which code its tests ended.'),
    z
      .strictObject({
        kind: z.literal('reward'),
        directory: z.string().startsWith('/').default('/logs/verifier'),
        rewardedExit: z
          .int()
          .min(0)
          .max(255)
          .optional()
          .describe(
            'The exit code without which no reward counts: who ends the tests early cannot leave one. By default any.',
          ),
        brokenExit: z
          .int()
          .min(1)
          .max(127)
          .optional()
          .describe(
            'The exit code by which tests that no patch can make end so say that this machine cannot run them.',
          ),
      })
      .describe('A file with a number, reward.json or else reward.txt, left in a directory.'),
  ]),
]);
export type ReportForm = z.infer<typeof ReportForm>;

/** What a solver must be able to do to solve a task, beyond one edit to a small file that the issue names. */
export const Ability = z.enum(['ranged-read', 'search', 'run-tests', 'persistence', 'recover', 'tail-output']);
export type Ability = z.infer<typeof Ability>;

/** The GPUs of a task's sandboxes, those that solve it and those that grade it. */
export const GpuResources = z.strictObject({
  gpus: z.int().min(0).max(64).default(0).describe('How many GPUs each sandbox gets, for itself alone.'),
  gpuMemoryGiB: z
    .int()
    .positive()
    .max(4096)
    .optional()
    .describe('What each of them must at least have, by the size that its maker names. By default any will do.'),
  gpuModel: z
    .string()
    .max(500)
    .regex(/^[^,]*[A-Za-z0-9][^,]*(,[^,]*[A-Za-z0-9][^,]*)*$/, 'models such as H100, with commas between them')
    .optional()
    .describe('Models that will do, such as "H100" or "A100, H100". By default any.'),
});
export type GpuResources = z.infer<typeof GpuResources>;

/** What a run may do with one task. Everything has a default, so that a manifest names only what matters. */
export const TaskManifest = z
  .strictObject({
    id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dot, dash and underscore'),
    title: z.string().min(1),
    image: z
      .string()
      .min(1)
      .describe('Docker image with everything the tests need; for tasks of plain files ignored by other drivers.'),
    workspaceIn: z
      .enum(['files', 'image'])
      .default('files')
      .describe('Whether the task brings its workspace along, or it is in the image, which then needs Docker.'),
    workdir: z
      .string()
      .regex(/^\/[\w./@+-]*$/, 'an absolute path of letters, digits, dots and dashes')
      .default('/workspace')
      .describe('Where the workspace is in the sandbox.'),
    baseCommit: z
      .string()
      .regex(/^[0-9a-f]{7,40}$/)
      .nullable()
      .default(null)
      .describe('Of a repository in the image: the commit that its tests come back to. Null: where it stands.'),
    test: z.strictObject({
      command: z.array(z.string()).min(1).describe('Run in the workspace; no shell.'),
      report: ReportForm,
      timeoutMs: z.number().int().positive().default(60_000),
      env: z.record(z.string(), z.string()).default({}),
    }),
    failToPass: z.array(z.string()).default([]).describe('Tests that fail before and must pass after.'),
    passToPass: z.array(z.string()).default([]).describe('Tests that pass before and must still pass.'),
    protected: z
      .array(z.string())
      .default([])
      .describe(
        'Workspace paths (a trailing slash names a folder) that no patch changes; those of files that the task brings are put back before grading.',
      ),
    solutionPaths: z
      .array(z.string())
      .default([])
      .describe(
        'When any are named, the only paths (a trailing slash names a folder) that count: what a patch does elsewhere is left out.',
      ),
    applyWith: z
      .enum(['exact', 'swe-bench'])
      .default('exact')
      .describe("How a patch is applied: git's way, each hunk where it says; or with SWE-bench's chain of fallbacks."),
    tries: z
      .int()
      .min(1)
      .max(2)
      .default(1)
      .describe('With 2, a solver whose patch fails sees what the tests printed and goes on once.'),
    hints: z.array(z.string()).default([]).describe('Shown to the solver: for example which files to change.'),
    abilities: z.array(Ability).default([]).describe('What it takes; the rehearsal model goes by these.'),
    resources: GpuResources.prefault({}).describe('GPUs it needs. Such a task runs only where a worker has them.'),
    needs: z
      .strictObject({
        cpus: z.number().positive().optional(),
        memoryMiB: z.int().positive().optional(),
        diskMiB: z.int().positive().optional(),
        pids: z.int().positive().optional(),
      })
      .default({})
      .describe("What the sandbox must at least have; the run's limits hold where they are larger."),
    network: z
      .strictObject({ allow: z.array(z.string().min(1)).nullable() })
      .nullable()
      .default(null)
      .describe('Hosts it must reach (null: any). Such a task is refused where the operator permits no egress.'),
  })
  .describe('A task of a suite, as written in its manifest');
export type TaskManifest = z.infer<typeof TaskManifest>;

/** A regular file of a task. `path` is relative to the workspace. */
export interface TaskFile {
  path: string;
  bytes: Uint8Array;
  executable: boolean;
}

/** A task in memory, with the parts that must never enter a solving sandbox. `solverView` leaves those out. */
export interface Task extends TaskManifest {
  instruction: string;
  /** What the solver starts from. */
  workspace: TaskFile[];
  /** Tests that are put in place only for grading. */
  hiddenTests: TaskFile[];
  /** Files of the grading sandbox alone that lie outside the workspace. Their paths are relative to the root. */
  graderFiles: TaskFile[];
  /** A shell script that is run instead of the test command, as root in the image; null for tasks with a command. */
  evalScript: string | null;
  /** A build context with a `Dockerfile`, from which the image is built; empty when it is had by its name. */
  environment: TaskFile[];
  /** A patch (git format, `-p1`) that solves it, where one is known. */
  referencePatch: string | null;
  /**
   * A program that solves it, for tasks whose reference is no patch: files whose paths are relative to the root, of which
   * `solution/solve.sh` is run by bash as root in the workdir. Empty where there is none.
   */
  solutionFiles: TaskFile[];
}

export interface Suite {
  name: string;
  title: string;
  /** SHA-256 over everything that can change a verdict. Stored with a run: numbers of different digests do not compare. */
  digest: string;
  tasks: Task[];
  /** Tasks that were found but cannot be used, each with the reason. */
  excluded: { id: string; reason: string }[];
}

export const TestStatus = z.enum(['passed', 'failed', 'skipped']);
export type TestStatus = z.infer<typeof TestStatus>;

/** What the graders saw: collected outside the sandbox. */
export interface TestRun {
  exitCode: number | null;
  timedOut: boolean;
  stdout: string;
  stderr: string;
  /** The texts of the reward files, null where there is none; only for tasks that report by them. */
  reward?: { json: string | null; text: string | null };
}

/** The verdict on a patch. */
export const Grade = z.object({
  resolved: z.boolean(),
  /** Score in [0, 1]; 1 exactly when resolved, for suites that do not grade by parts. */
  y: z.number().min(0).max(1),
  /** One line: why. */
  reason: z.string(),
  failToPass: z.object({ passed: z.array(z.string()), failed: z.array(z.string()) }),
  passToPass: z.object({ passed: z.array(z.string()), failed: z.array(z.string()) }),
});
export type Grade = z.infer<typeof Grade>;

/** What a solving sandbox may know of a task. */
export interface SolverView {
  id: string;
  image: string;
  instruction: string;
  hints: string[];
  workspace: TaskFile[];
  workspaceIn: TaskManifest['workspaceIn'];
  workdir: string;
  baseCommit: string | null;
  /** The build context of the image. */
  environment: TaskFile[];
}
