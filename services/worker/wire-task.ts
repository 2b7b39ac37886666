import { z } from 'zod';
import { type Task, type TaskFile, TaskManifest } from '#benchmarks/schema.ts';

/** What a task has beside its manifest. Its files are described here; their bytes follow, one after the other. */
const FileHead = z.strictObject({ path: z.string(), executable: z.boolean(), bytes: z.int().nonnegative() });
const files = z.array(FileHead);
const parts = {
  instruction: z.string(),
  workspace: files,
  hiddenTests: files,
  graderFiles: files,
  evalScript: z.string().nullable(),
  environment: files,
  referencePatch: z.string().nullable(),
  solutionFiles: files,
} satisfies Record<Exclude<keyof Task, keyof TaskManifest>, z.ZodType>;
const Parts = z.object(parts);

/**
 * A task as bytes: one line of JSON with its keys in order, then the bytes of its files. The same task always gives the
 * same bytes, so that their digest stands for it.
 */
export function encodeTask(task: Task): Uint8Array {
  const { workspace, hiddenTests, graderFiles, environment, solutionFiles, ...plain } = task;
  const lists = { workspace, hiddenTests, graderFiles, environment, solutionFiles };
  const heads = Object.entries(lists).map(([name, list]) => [name, list.map(headOf)]);
  const line = JSON.stringify({ ...plain, ...Object.fromEntries(heads) }, withSortedKeys);
  const contents = Object.values(lists).flatMap((list) => list.map(({ bytes }) => bytes));
  return joined([new TextEncoder().encode(`${line}\n`), ...contents]);
}

/** @throws ZodError, SyntaxError, RangeError for bytes that `encodeTask` did not make. */
export function decodeTask(encoded: Uint8Array): Task {
  const end = encoded.indexOf(0x0a);
  if (end < 0) throw new RangeError('What should be a task has no first line.');
  const head: unknown = JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoded.subarray(0, end)));
  const { workspace, hiddenTests, graderFiles, environment, solutionFiles, ...more } = Parts.parse(head);
  let at = end + 1;
  const filled = (list: z.infer<typeof files>): TaskFile[] =>
    list.map(({ path, executable, bytes }) => {
      const from = at;
      at += bytes;
      return { path, executable, bytes: new Uint8Array(encoded.subarray(from, at)) };
    });
  const task: Task = {
    ...TaskManifest.parse(withoutParts(head)),
    ...more,
    workspace: filled(workspace),
    hiddenTests: filled(hiddenTests),
    graderFiles: filled(graderFiles),
    environment: filled(environment),
    solutionFiles: filled(solutionFiles),
  };
  if (at !== encoded.length) throw new RangeError(`A task of ${at} bytes came as ${encoded.length}.`);
  return task;
}

function headOf({ path, executable, bytes }: TaskFile): z.infer<typeof FileHead> {
  return { path, executable, bytes: bytes.length };
}

function withoutParts(head: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(z.looseObject({}).parse(head)).filter(([name]) => !(name in parts)));
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function joined(pieces: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
