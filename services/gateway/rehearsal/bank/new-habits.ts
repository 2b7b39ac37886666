import type { Edit } from './entry.ts';

/** Tells the model to run the tests. */
export const testRuns: readonly Edit[] = [
  {
    kind: 'replace',
    path: 'prompt.ts',
    anchor: "  'When the task is done, answer",
    replacement:
      "  'After each change run the tests of the repository, read what fails, and go on until nothing does.',\n  'When the task is done, answer",
  },
];

/** Raises the step limit. */
export const moreSteps: readonly Edit[] = [
  { kind: 'replace', path: 'settings.ts', anchor: '  maxSteps: 15,', replacement: '  maxSteps: 80,' },
];

/** Asks a model that stops too early to go on. */
export const nudges: readonly Edit[] = [
  {
    kind: 'create',
    path: 'nudge.ts',
    text: `import type { Message } from './model.ts';

const request = 'The task is not done: nothing was changed, or the last call failed. Find out why and try another way.';

/** What to tell a model that stops too early, at most twice; null when it may stop. */
export function nudge(messages: readonly Message[]): Message | null {
  const results = messages.filter(({ role }) => role === 'tool').map(({ content }) => content ?? '');
  const changed = results.some((result) => /^(edited|wrote) /.test(result));
  const failed = /^error: /.test(results.at(-1) ?? '');
  const nudges = messages.filter(({ content }) => content === request).length;
  return nudges < 2 && (failed || !changed) ? { role: 'user', content: request } : null;
}
`,
  },
  {
    kind: 'replace',
    path: 'loop.ts',
    anchor: "import { shorten } from './context.ts';",
    replacement: "import { shorten } from './context.ts';\nimport { nudge } from './nudge.ts';",
  },
  {
    kind: 'replace',
    path: 'loop.ts',
    anchor: "    if (calls.length === 0) return 'answered';",
    replacement: `    if (calls.length === 0) {
      const more = nudge(job.messages);
      if (more === null) return 'answered';
      job.messages.push(more);
    }`,
  },
];

/** Shows both ends of a long output. */
export const bothEnds: readonly Edit[] = [
  { kind: 'replace', path: 'output.ts', anchor: '  #dropped = 0;', replacement: "  #dropped = 0;\n  #tail = '';" },
  {
    kind: 'replace',
    path: 'output.ts',
    anchor: `    const room = Math.max(0, this.#limit - this.#kept.length);
    this.#kept += text.slice(0, room);
    this.#dropped += Math.max(0, text.length - room);`,
    replacement: `    const half = Math.floor(this.#limit / 2);
    const room = Math.max(0, half - this.#kept.length);
    this.#kept += text.slice(0, room);
    const late = this.#tail + text.slice(room);
    this.#tail = late.slice(Math.max(0, late.length - half));
    this.#dropped += late.length - this.#tail.length;`,
  },
  {
    kind: 'replace',
    path: 'output.ts',
    anchor: '    if (this.#dropped === 0) return this.#kept;',
    replacement: '    if (this.#dropped === 0) return this.#kept + this.#tail;',
  },
  {
    kind: 'replace',
    path: 'output.ts',
    anchor: `[cut: \${this.#dropped} more characters]\\n\``,
    replacement: `[cut: \${this.#dropped} more characters]\\n\${this.#tail}\``,
  },
];
