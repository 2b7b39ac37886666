import type { Task } from '#benchmarks/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { type Defences, gradePatch, type PatchVerdict } from '#services/evaluator/grade-patch.ts';
import { testLabels, testLimits } from './builders.ts';

/** A way to get a verdict that was not earned, as the patch of a hostile agent. It solves nothing. */
export interface Cheat {
  /** What the agent does; a sentence that could follow "an agent that". */
  does: string;
  patch: string;
  /** Defences each of which stops it alone. None: there is nothing to be switched off. */
  stoppedBy: readonly (keyof Defences)[];
}

const NONE: Defences = { firewall: false, canary: false, sealedHistory: false, sealedScript: false };

/** What came of a cheat: with every defence, with each that should stop it alone, and with none of them. */
export interface Outcome {
  defended: string;
  alone: Record<string, string>;
  undefended: string;
}

/** Tries a cheat with all of these at once, each time in fresh sandboxes. */
export async function outcomeOf({ patch, stoppedBy }: Cheat, task: Task, driver: SandboxDriver): Promise<Outcome> {
  const verdict = async (defences: Partial<Defences>) => wordOf(await verdictOn(task, patch, driver, defences));
  const each = stoppedBy.map(async (defence) => [defence, await verdict({ ...NONE, [defence]: true })] as const);
  const [defended, undefended, alone] = await Promise.all([verdict({}), verdict(NONE), Promise.all(each)]);
  return { defended, alone: Object.fromEntries(alone), undefended };
}

/** What it must be. */
export function expectedOf({ stoppedBy }: Cheat): Outcome {
  return {
    defended: 'not resolved',
    alone: Object.fromEntries(stoppedBy.map((defence) => [defence, 'not resolved'])),
    undefended: stoppedBy.length === 0 ? 'not resolved' : 'resolved',
  };
}

export async function verdictOn(
  task: Task,
  patch: string,
  driver: SandboxDriver,
  defences: Partial<Defences> = {},
): Promise<PatchVerdict> {
  const where = { limits: testLimits, labels: testLabels };
  return gradePatch(task, patch, where, { driver, signal: new AbortController().signal, defences });
}

function wordOf(verdict: PatchVerdict): string {
  return verdict.kind === 'graded' && verdict.grade.resolved ? 'resolved' : 'not resolved';
}

/** A patch that puts a text in place of another, or makes a new file of it. */
export function patchOf(files: Record<string, { before: string | null; after: string }>): string {
  return Object.entries(files)
    .map(([path, { before, after }]) => {
      const head = `diff --git a/${path} b/${path}\n${before === null ? 'new file mode 100644\n--- /dev/null' : `--- a/${path}`}\n+++ b/${path}\n`;
      const [old, fresh] = [linesOf(before ?? ''), linesOf(after)];
      const at = (lines: string[]) => `${lines.length === 0 ? 0 : 1},${lines.length}`;
      const body = [...old.map((line) => `-${line}`), ...fresh.map((line) => `+${line}`)].join('\n');
      return `${head}@@ -${at(old)} +${at(fresh)} @@\n${body}\n`;
    })
    .join('');
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
