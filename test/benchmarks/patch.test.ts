import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch, parsePatch, replacementPatch } from '#benchmarks/patch.ts';
import type { TaskFile } from '#benchmarks/schema.ts';

function file(path: string, text: string, executable = false): TaskFile {
  return { path, bytes: new TextEncoder().encode(text), executable };
}

function texts(files: readonly TaskFile[]): Record<string, string> {
  return Object.fromEntries(files.map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]));
}

const TWO_HUNKS = `diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@ heading
-1
+one
 2
 3
@@ -5,2 +5,4 @@
 5
+5.5
+--- 5.6
 6
`;

test('applies every hunk of every file at its line', () => {
  const after = applyPatch([file('a.txt', '1\n2\n3\n4\n5\n6\n'), file('b.txt', 'b')], TWO_HUNKS);
  expect(texts(after)).toEqual({ 'a.txt': 'one\n2\n3\n4\n5\n5.5\n--- 5.6\n6\n', 'b.txt': 'b' });
});

test('creates, removes and renames files', () => {
  const patch = `--- /dev/null
+++ b/new.txt
@@ -0,0 +1 @@
+hello
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
--- a/from.txt
+++ b/to.txt
@@ -1 +1 @@
-x
+y
`;
  const after = applyPatch([file('old.txt', 'bye\n'), file('from.txt', 'x\n', true)], patch);
  expect(texts(after)).toEqual({ 'new.txt': 'hello\n', 'to.txt': 'y\n' });
  expect(after.find(({ path }) => path === 'to.txt')?.executable).toBe(true);
});

test.each([
  ['', /changes no file/],
  ['--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-1\n', /line 5 ends a hunk 1 old and 1 new lines early/],
  ['--- x\n+++ b/x\n', /line 1 is not `--- a\/<path>`/],
  ['--- a/x\n+++ b/x\n@@ nonsense @@\n', /line 3 is no hunk/],
  ['GIT binary patch\n', /binary/],
])('%j is no patch', (text, message) => {
  expect(() => parsePatch(text)).toThrow(message);
});

test.each([
  ['--- a/nope\n+++ b/nope\n@@ -1 +1 @@\n-1\n+2\n', /changes nope, which the workspace does not have/],
  ['--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+1\n', /creates a\.txt, which exists/],
  ['--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-2\n+3\n', /hunk at line 1 of a\.txt does not fit: the file has "1\\n"/],
  ['--- a/a.txt\n+++ b/a.txt\n@@ -2 +2 @@\n-1\n+3\n', /does not fit/],
])('a patch that does not fit says why', (patch, message) => {
  expect(() => applyPatch([file('a.txt', '1\n')], patch)).toThrow(message);
});

test('a replacement patch turns any text into any other', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', '-', '+', ' ', '\\', 'é', '@@ -1 +1 @@') });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const patch = replacementPatch('dir/a b.txt', before, after);
      if (before === after) expect(patch).toBe('');
      else expect(texts(applyPatch([file('dir/a b.txt', before)], patch))).toEqual({ 'dir/a b.txt': after });
    }),
    { seed: 1, numRuns: 500 },
  );
});
