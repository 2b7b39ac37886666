import type { Edit, Entry } from './entry.ts';

/** Edits that change nothing about what an agent can do. */
export const useless: readonly Entry[] = [
  entry('Say in the loop what a step is', 'Explain in loop.ts what counts as a step.', {
    path: 'loop.ts',
    anchor: '/** Asks the model and does what it calls for,',
    replacement:
      '/** A step is one answer of the model with all of its calls. */\n/** Asks the model and does what it calls for,',
  }),
  entry(
    'Wait longer for slow commands',
    'Some commands take long. Let commandTimeoutMs in settings.ts be 120 seconds.',
    {
      path: 'settings.ts',
      anchor: '  commandTimeoutMs: 60_000,',
      replacement: '  commandTimeoutMs: 120_000,',
    },
  ),
  entry('Keep more time back for the end', 'Keep 4 seconds instead of 3 back from the deadline, in settings.ts.', {
    path: 'settings.ts',
    anchor: '  reserveMs: 3_000,',
    replacement: '  reserveMs: 4_000,',
  }),
  entry('Let conversations grow longer', 'Models take more today. Raise contextChars in settings.ts.', {
    path: 'settings.ts',
    anchor: '  contextChars: 240_000,',
    replacement: '  contextChars: 320_000,',
  }),
  entry('Call the model a careful engineer', 'A role helps models to take care. Begin the prompt with one.', {
    path: 'prompt.ts',
    anchor: ' The current directory is a repository;',
    replacement: ' You are a careful senior engineer. The current directory is a repository;',
  }),
  entry(
    'Describe the bash tool at greater length',
    'Say in tools.ts that directories and variables stay between commands.',
    {
      path: 'tools.ts',
      anchor: "'Runs a command in a bash that stays open,",
      replacement: "'Runs a command in a bash that stays open, with its directory and variables,",
    },
  ),
  entry('Give the shell a plain locale', 'Messages in other languages confuse. Set LC_ALL=C.UTF-8 in shell.ts.', {
    path: 'shell.ts',
    anchor: "TERM: 'dumb'",
    replacement: "TERM: 'dumb', LC_ALL: 'C.UTF-8'",
  }),
  entry(
    'Rename what the context keeps',
    'The name "recent" in context.ts does not say what is kept. Call it "keptWhole".',
    { path: 'context.ts', anchor: 'const recent = 4;', replacement: 'const keptWhole = 4;' },
    { path: 'context.ts', anchor: '.slice(0, -recent);', replacement: '.slice(0, -keptWhole);' },
  ),
  entry('Try six times to reach the model', 'One more attempt may succeed. Raise attempts in model.ts to 6.', {
    path: 'model.ts',
    anchor: 'const attempts = 5;',
    replacement: 'const attempts = 6;',
  }),
];

function entry(
  title: string,
  improvement: string,
  ...edits: readonly Omit<Edit & { kind: 'replace' }, 'kind'>[]
): Entry {
  return {
    title,
    improvement,
    effect: { kind: 'useless' },
    edits: edits.map((edit) => ({ kind: 'replace', ...edit })),
  };
}
