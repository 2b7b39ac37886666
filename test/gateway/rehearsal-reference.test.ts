import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { applyPatch } from '#benchmarks/patch.ts';
import type { Task, TaskFile } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { type Change, readReference } from '#services/gateway/rehearsal/reference.ts';
import { file, rewriteTask, task } from './rehearsal-tasks.ts';

const katas = await openSuite('katas', { shelf: tmpdir() });
const tasks = [...katas.tasks, task('small', []), rewriteTask('whole', [])];

describe('a reference patch as changes', () => {
  it.each(tasks.map((one) => [one.id, one] as const))(
    'makes of %s what the patch makes of it, at once or in two parts',
    (_id, one) => {
      const { changes, beginning, rest } = readReference(one.workspace, one.referencePatch ?? '');
      expect(made(one, changes)).toEqual(wanted(one));
      expect(made(one, [...beginning, ...rest])).toEqual(wanted(one));
      expect(made(one, beginning)).not.toEqual(wanted(one));
    },
  );

  it('creates, moves and removes files', () => {
    const patch = [
      'diff --git a/new.txt b/new.txt',
      'new file mode 100644',
      '--- /dev/null',
      '+++ b/new.txt',
      '@@ -0,0 +1 @@',
      '+new',
      'diff --git a/gone.txt b/gone.txt',
      'deleted file mode 100644',
      '--- a/gone.txt',
      '+++ /dev/null',
      '@@ -1 +0,0 @@',
      '-gone',
      'diff --git a/from.txt b/to.txt',
      'rename from from.txt',
      'rename to to.txt',
      '--- a/from.txt',
      '+++ b/to.txt',
      '@@ -1,2 +1,2 @@',
      ' same',
      '-old',
      '+new',
      '',
    ].join('\n');
    const workspace = [file('gone.txt', 'gone\n'), file('from.txt', 'same\nold\n')];
    const { changes } = readReference(workspace, patch);
    expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'write new.txt',
      'remove gone.txt',
      'write to.txt',
      'remove from.txt',
    ]);
  });

  it('takes in lines around a place that looks like others', () => {
    const text = 'a\nsame\nb\nsame\nc\nsame\n';
    const patch = 'diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -4 +4 @@\n-same\n+other\n';
    const { changes } = readReference([file('f', text)], patch);
    expect(changes).toEqual([
      { kind: 'replace', path: 'f', before: 'b\nsame\nc\n', after: 'b\nother\nc\n', lines: { first: 3, last: 6 } },
    ]);
  });
});

function wanted(one: Task): Map<string, string> {
  return texts(applyPatch(one.workspace, one.referencePatch ?? ''));
}

/** Makes changes as an exact editor does: the old text must be there once. */
function made({ workspace }: Task, changes: readonly Change[]): Map<string, string> {
  const result = texts(workspace);
  for (const change of changes) {
    const text = result.get(change.path) ?? '';
    if (change.kind === 'remove') result.delete(change.path);
    else if (change.kind === 'write') result.set(change.path, change.text);
    else if (text.split(change.before).length === 2)
      result.set(
        change.path,
        text.replace(change.before, () => change.after),
      );
    else throw new Error(`not there once: ${change.before}`);
  }
  return result;
}

function texts(files: readonly TaskFile[]): Map<string, string> {
  return new Map(files.map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]));
}
