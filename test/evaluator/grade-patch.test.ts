import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createProcess } from '#sandbox/process.ts';
import { gradePatch } from '#services/evaluator/grade-patch.ts';
import { sumFix, sumTask, testLabels, testLimits, textFiles } from './builders.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'clade-grade-'));
afterAll(() => rmSync(directory, { recursive: true }));

const where = { limits: testLimits, labels: testLabels };
const signal = new AbortController().signal;

/** A git that reads another name in a patch than is there. */
function gitThatReads(from: string, to: string): string {
  return binWith('git', `#!/bin/sh\nsed 's/${from}/${to}/g' | PATH=/usr/bin:/bin:/usr/local/bin git "$@"\n`);
}

/** A path on which a program is another. */
function binWith(program: string, instead: string): string {
  const bin = mkdtempSync(path.join(directory, 'bin-'));
  writeFileSync(path.join(bin, program), instead, { mode: 0o755 });
  return `${bin}:/usr/local/bin:/usr/bin:/bin`;
}

describe('grading a patch', () => {
  it('refuses one in which git reads other names than were checked', async () => {
    const other = { path: 'tests.mjs', bytes: sumTask().workspace[0]?.bytes ?? new Uint8Array(), executable: false };
    const task = sumTask({ workspace: [...sumTask().workspace, other] });
    const driver = createProcess({ path: gitThatReads('sum[.]mjs', 'tests.mjs') });
    const verdict = await gradePatch(task, sumFix, where, { driver, signal });
    expect(verdict).toMatchObject({ kind: 'bad-patch', reason: 'The patch can be read in two ways.' });
  });

  it('takes names that git has to quote, renames and modes', async () => {
    const task = sumTask({ workspace: [...sumTask().workspace, ...textFiles({ 'old name': 'x\n', run: 'x\n' })] });
    const patch = `${sumFix}diff --git "a/gr\\303\\266\\303\\237e \\"1\\"" "b/gr\\303\\266\\303\\237e \\"1\\""
new file mode 100644
index 0000000..1111111
--- /dev/null
+++ "b/gr\\303\\266\\303\\237e \\"1\\""
@@ -0,0 +1 @@
+x
diff --git a/old name b/new name
similarity index 100%
rename from old name
rename to new name
diff --git a/run b/run
old mode 100644
new mode 100755
`;
    const verdict = await gradePatch(task, patch, where, { driver: createProcess(), signal });
    expect(verdict).toMatchObject({ kind: 'graded', grade: { resolved: true } });
  });

  it.each([71, 1, 126, 255])(
    'takes exit code %i of tests for theirs, whatever they say of themselves',
    async (code) => {
      const patch = sumFix.replace('a + b', `process.exit(${code})`);
      const verdict = await gradePatch(sumTask(), patch, where, { driver: createProcess(), signal });
      expect(verdict).toMatchObject({ kind: 'graded', grade: { resolved: false } });
    },
  );

  it('holds it against nobody when there is no room for the files of a grade', async () => {
    const driver = createProcess({ path: binWith('tar', '#!/bin/sh\nexit 2\n') });
    await expect(gradePatch(sumTask(), sumFix, where, { driver, signal })).rejects.toThrow('could not be set up');
  });
});
