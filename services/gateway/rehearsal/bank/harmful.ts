import type { Edit, Entry, Harm } from './entry.ts';

type Replacement = Omit<Edit & { kind: 'replace' }, 'kind'>;

/** Edits that break an agent, each in the way that a step of the viability check is there to catch, or that make it worse. */
export const harmful: readonly Entry[] = [
  entry('does-not-parse', 'Count the phases of a task', 'Let loop.ts name the phases of the work by an enum.', {
    path: 'loop.ts',
    anchor: 'export type Ended =',
    replacement: 'export enum Phase {\n  Reading,\n  Editing,\n}\n\nexport type Ended =',
  }),
  entry(
    'does-not-parse',
    'Check that there are rules for the prompt',
    'Let prompt.ts check that the list of rules is not empty.',
    {
      path: 'prompt.ts',
      anchor: "  return rules.join('\\n');",
      replacement: "  if (rules.length > 0) {\n  return rules.join('\\n');",
    },
  ),
  entry(
    'own-tests-fail',
    'Replace every occurrence when editing',
    'Let the edit tool replace the old text wherever it is.',
    {
      path: 'edit.ts',
      anchor: '  if (text.indexOf(before, at + 1) >= 0) {',
      replacement:
        '  if (text.indexOf(before, at + 1) >= 0) return text.split(before).join(after);\n  if (text.length < 0) {',
    },
  ),
  entry(
    'own-tests-fail',
    'Report success of commands more simply',
    'The exit code confuses the model. Report 0 in shell.ts.',
    {
      path: 'shell.ts',
      anchor: "if (ending.kind === 'code') return",
      replacement: "if (ending.kind === 'code') return 'exit code 0';\n  if (ending.kind === 'code') return",
    },
  ),
  entry(
    'own-tests-fail',
    'Do not wait for a busy model',
    'Retrying costs time. Give up in model.ts at the first refusal.',
    {
      path: 'model.ts',
      anchor: 'response.status === 408 || response.status === 429 || response.status >= 500;',
      replacement: 'response.status === 408;',
    },
  ),
  entry('does-not-start', 'Read the log level at the start', 'Let main.ts read a log level from the environment.', {
    path: 'main.ts',
    anchor: 'const directory = process.cwd();',
    replacement: "const directory = process.cwd();\nconst level = needed('CLADE_LOG_LEVEL').toLowerCase();",
  }),
  entry('does-not-start', 'Start from a file with a clearer name', 'Name the program start.ts in agent.json.', {
    path: 'agent.json',
    anchor: '["node", "main.ts"]',
    replacement: '["node", "start.ts"]',
  }),
  entry(
    'does-not-start',
    'Rename the option that checks the agent',
    'Call the option --check in main.ts --dry-run instead.',
    {
      path: 'main.ts',
      anchor: "'--check'",
      replacement: "'--dry-run'",
    },
  ),
  entry(
    'fails-smoke',
    'Work in a scratch directory',
    'To keep the repository clean, let main.ts work in the temporary directory.',
    {
      path: 'main.ts',
      anchor: 'const directory = process.cwd();',
      replacement: "const directory = process.env.TMPDIR ?? '/tmp';",
    },
  ),
  entry(
    'fails-smoke',
    'Edit a draft instead of the file',
    'Let the edit tool work on a copy named .draft, so that nothing gets lost.',
    {
      path: 'tools.ts',
      anchor: "edit(directory, text(args, 'path'),",
      replacement: "edit(directory, text(args, 'path').concat('.draft'),",
    },
  ),
  entry('fails-smoke', 'Answer within one step', 'Long conversations cost money. Let main.ts allow one step.', {
    path: 'main.ts',
    anchor: 'work({ ...settings, chat,',
    replacement: 'work({ ...settings, maxSteps: 1, chat,',
  }),
  entry(
    'cannot-self-edit',
    "Protect the agent's own files",
    'An agent must not break itself. Let the edit tool refuse to work in a directory with an agent.json.',
    {
      path: 'edit.ts',
      anchor: 'import { mkdirSync, readFileSync,',
      replacement: 'import { existsSync, mkdirSync, readFileSync,',
    },
    {
      path: 'edit.ts',
      anchor: '  const file = resolve(directory, path);\n',
      replacement:
        "  const file = resolve(directory, path);\n  if (existsSync(resolve(directory, 'agent.json'))) throw new Error('an agent is not to be changed');\n",
    },
  ),
  entry('cannot-self-edit', 'Leave documents alone', 'Code is what counts. Let the edit tool refuse Markdown files.', {
    path: 'edit.ts',
    anchor: '  const file = resolve(directory, path);\n',
    replacement:
      "  const file = resolve(directory, path);\n  if (path.endsWith('.md')) throw new Error('documents are not to be changed');\n",
  }),
  {
    title: 'Write the agent anew in one small file',
    improvement: 'A single file is easier to understand.',
    effect: { kind: 'harmful', harm: 'empty' },
    edits: [],
  },
  {
    title: 'Treat all files as text in git',
    improvement: 'Add a .gitattributes so that line ends are the same everywhere.',
    effect: { kind: 'harmful', harm: 'forbidden-path' },
    edits: [{ kind: 'create', path: '.gitattributes', text: '* text=auto\n' }],
  },
  {
    title: 'Link the program under a second name',
    improvement: 'Let agent.ts be a link to main.ts, for those who look for it there.',
    effect: { kind: 'harmful', harm: 'forbidden-path' },
    edits: [{ kind: 'run', command: 'ln -sf main.ts agent.ts' }],
  },
  {
    title: 'Bring a large table of examples along',
    improvement: 'Examples help. Add examples.txt with half a million lines.',
    effect: { kind: 'harmful', harm: 'too-large' },
    edits: [{ kind: 'run', command: 'seq 1 500000 > examples.txt' }],
  },
  entry('worse', 'Show the model less output', 'Long output costs money. Show 600 characters of it at most.', {
    path: 'settings.ts',
    anchor: '  outputChars: 6_000,',
    replacement: '  outputChars: 600,',
  }),
  entry('worse', 'Stop after three steps', 'Most tasks need few steps. Let loop.ts stop after the third.', {
    path: 'main.ts',
    anchor: 'const ended = await work({ ...settings,',
    replacement: 'const ended = await work({ ...settings, maxSteps: 3,',
  }),
  entry(
    'worse',
    'Tell the model to hurry',
    'Tell the model in prompt.ts to make as few calls as possible and trust its first edit.',
    {
      path: 'prompt.ts',
      anchor: ', in the style of the code around it, and nothing else.',
      replacement: ', in the style of the code around it, with as few calls as possible.',
    },
  ),
];

function entry(harm: Harm, title: string, improvement: string, ...edits: readonly Replacement[]): Entry {
  return {
    title,
    improvement,
    effect: { kind: 'harmful', harm },
    edits: edits.map((edit) => ({ kind: 'replace', ...edit })),
  };
}
