import { z } from 'zod';

/** How a test command says which tests passed. `exit-code`: it does not, 0 means that all did. */
export const ReportKind = z.enum(['tap', 'junit', 'pytest', 'jest', 'exit-code']);
export type ReportKind = z.infer<typeof ReportKind>;

/** What a solver must be able to do to solve a task, beyond one edit to a small file that the issue names. */
export const Ability = z.enum(['ranged-read', 'search', 'run-tests', 'persistence', 'recover', 'tail-output']);
export type Ability = z.infer<typeof Ability>;

/** What a run may do with one task. Everything has a default, so that a manifest names only what matters. */
export const TaskManifest = z
  .strictObject({
    id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dot, dash and underscore'),
    title: z.string().min(1),
    image: z.string().min(1).describe('Docker image with everything the tests need; ignored by other drivers.'),
    test: z.strictObject({
      command: z.array(z.string()).min(1).describe('Run in the workspace; no shell.'),
      report: ReportKind,
      timeoutMs: z.number().int().positive().default(60_000),
      env: z.record(z.string(), z.string()).default({}),
    }),
    failToPass: z.array(z.string()).default([]).describe('Tests that fail before and must pass after.'),
    passToPass: z.array(z.string()).default([]).describe('Tests that pass before and must still pass.'),
    protected: z
      .array(z.string())
      .default([])
      .describe(
        'Workspace paths (a trailing slash names a folder) put back as they were before grading, or removed if they were not there.',
      ),
    solutionPaths: z
      .array(z.string())
      .default([])
      .describe(
        'When any are named, the only paths (a trailing slash names a folder) that count: what a patch does elsewhere is left out.',
      ),
    hints: z.array(z.string()).default([]).describe('Shown to the solver: for example which files to change.'),
    abilities: z.array(Ability).default([]).describe('What it takes; the rehearsal model goes by these.'),
    gpus: z.number().int().nonnegative().default(0),
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
  /** A patch (git format, `-p1`) that solves it, where one is known. */
  referencePatch: string | null;
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
}
