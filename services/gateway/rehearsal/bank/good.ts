import type { Entry } from './entry.ts';
import { bothEnds, moreSteps, nudges, testRuns } from './new-habits.ts';
import { rangedView, searchFiles } from './new-tools.ts';

/** Edits that let an agent solve what it could not: one for each ability, and some that help in part of the cases. */
export const good: readonly Entry[] = [
  {
    title: 'Add a tool that shows a range of lines',
    improvement:
      'Long files cannot be read: a command shows only the beginning of its output. Add view.ts with a tool "view" that shows the lines of a file from a first to a last one, with their numbers, and offer it in tools.ts.',
    effect: { kind: 'good', abilities: ['ranged-read'], extent: 'full' },
    edits: rangedView,
  },
  {
    title: 'Add a tool that searches the repository',
    improvement:
      'Issues often do not say where the code is. Add search.ts with a tool "search" that finds a text in all files, in a fixed order, and leaves out .git and node_modules; offer it in tools.ts.',
    effect: { kind: 'good', abilities: ['search'], extent: 'full' },
    edits: searchFiles,
  },
  {
    title: 'Tell the model to run the tests',
    improvement:
      'The agent stops after its first edit without knowing whether it works. Tell it in prompt.ts to run the tests after each change and to read what they print before it goes on.',
    effect: { kind: 'good', abilities: ['run-tests'], extent: 'full' },
    edits: testRuns,
  },
  {
    title: 'Raise the step limit to 80',
    improvement:
      'Tasks that take many small steps end at the step limit with nothing done. Raise maxSteps in settings.ts to 80.',
    effect: { kind: 'good', abilities: ['persistence'], extent: 'full' },
    edits: moreSteps,
  },
  {
    title: 'Ask to go on when nothing was changed',
    improvement:
      'The agent ends as soon as the model answers without a call, even if no file was changed or the last call failed. Add nudge.ts, and in loop.ts ask the model to go on in that case, twice at most.',
    effect: { kind: 'good', abilities: ['recover'], extent: 'full' },
    edits: nudges,
  },
  {
    title: 'Keep the end of long output too',
    improvement:
      'What matters in a long output is often at its end, which is cut. In output.ts keep the first and the last half of what may be shown.',
    effect: { kind: 'good', abilities: ['tail-output'], extent: 'full' },
    edits: bothEnds,
  },
  {
    title: 'Add tools to find code and to read it in parts',
    improvement:
      'The agent neither finds the code nor reads long files. Add search.ts with a tool "search" that finds a text in all files, and view.ts with a tool "view" that shows a range of lines; offer both in tools.ts.',
    effect: { kind: 'good', abilities: ['search', 'ranged-read'], extent: 'full' },
    edits: [...searchFiles, ...rangedView],
  },
  {
    title: 'Go on until the tests pass',
    improvement:
      'The agent takes its first attempt for the last. Tell the model in prompt.ts to run the tests after each change, and in loop.ts ask it to go on, twice at most, when it stops with nothing changed or right after a failed call.',
    effect: { kind: 'good', abilities: ['run-tests', 'recover'], extent: 'full' },
    edits: [...testRuns, ...nudges],
  },
  {
    title: 'Allow more steps and show both ends of output',
    improvement:
      'The limits are too small for long tasks: raise maxSteps in settings.ts to 80, and in output.ts keep the first and the last half of what may be shown of an output.',
    effect: { kind: 'good', abilities: ['persistence', 'tail-output'], extent: 'full' },
    edits: [...moreSteps, ...bothEnds],
  },
  {
    title: 'Show any part of files and of long output',
    improvement:
      'The model sees only the beginning of what is long. Add view.ts with a tool "view" that shows a range of lines, offer it in tools.ts, and in output.ts keep both ends of a long output.',
    effect: { kind: 'good', abilities: ['ranged-read', 'tail-output'], extent: 'full' },
    edits: [...rangedView, ...bothEnds],
  },
  {
    title: 'Give the model time to test its changes',
    improvement:
      'Raise maxSteps in settings.ts to 80, and tell the model in prompt.ts to spend the steps on running the tests after each change.',
    effect: { kind: 'good', abilities: ['run-tests', 'persistence'], extent: 'full' },
    edits: [...testRuns, ...moreSteps],
  },
  {
    title: 'Search when stuck instead of stopping',
    improvement:
      'Add search.ts with a tool "search" that finds a text in all files, offer it in tools.ts, and in loop.ts ask a model that stops without a change or after a failed call to go on, twice at most.',
    effect: { kind: 'good', abilities: ['search', 'recover'], extent: 'full' },
    edits: [...searchFiles, ...nudges],
  },
  {
    title: 'Say how to read a part of a long file',
    improvement:
      "Long files are cut when read whole. Tell the model in prompt.ts to read parts of them with sed -n '<first>,<last>p'.",
    effect: { kind: 'good', abilities: ['ranged-read'], extent: 'partial' },
    edits: [
      {
        kind: 'replace',
        path: 'prompt.ts',
        anchor: "  'You see and change files only through the tools.',",
        replacement:
          "  'You see and change files only through the tools.',\n  \"Read a long file in parts, with sed -n '100,180p' and the like.\",",
      },
    ],
  },
  {
    title: 'Say how to find the code with grep',
    improvement:
      'The model looks into a few files and gives up. Tell it in prompt.ts to find the code that a task is about with grep -rn.',
    effect: { kind: 'good', abilities: ['search'], extent: 'partial' },
    edits: [
      {
        kind: 'replace',
        path: 'prompt.ts',
        anchor: "  'Look at a file before you edit it,",
        replacement:
          "  'Find the code that a task is about with grep -rn and words of the task.',\n  'Look at a file before you edit it,",
      },
    ],
  },
  {
    title: 'Ask for several calls in one answer',
    improvement:
      'Steps run out because each makes one call. Tell the model in prompt.ts to make several calls at once if they do not depend on each other.',
    effect: { kind: 'good', abilities: ['persistence'], extent: 'partial' },
    edits: [
      {
        kind: 'replace',
        path: 'prompt.ts',
        anchor: "  'Make the change that the task asks for,",
        replacement:
          "  'Make several calls in one answer when they do not depend on each other.',\n  'Make the change that the task asks for,",
      },
    ],
  },
  {
    title: 'Accept an edit whose spaces are a little off',
    improvement:
      'Edits fail on the indentation of the old text. In edit.ts take the lines of the file that differ from the old text in the spaces around them only, if there is exactly one such place.',
    effect: { kind: 'good', abilities: ['recover'], extent: 'partial' },
    edits: [
      {
        kind: 'replace',
        path: 'edit.ts',
        anchor: 'replaceOnce(text, before, after, path));',
        replacement: 'replaceOnce(text, asWritten(text, before), after, path));',
      },
      {
        kind: 'replace',
        path: 'edit.ts',
        anchor: 'function replaceOnce(',
        replacement: `/** The one piece of the text that differs from \`wanted\` in spaces around lines only; \`wanted\` itself if there is none. */
function asWritten(text: string, wanted: string): string {
  const lines = wanted.split('\\n').map((line) => line.trim());
  const escaped = lines.map((line) => line.replace(/[.*+?^\${}()|[\\]\\\\]/g, '\\\\$&'));
  const found = [...text.matchAll(new RegExp(escaped.map((line) => \`[ \\\\t]*\${line}[ \\\\t]*\`).join('\\n'), 'g'))];
  const [only] = found;
  return text.includes(wanted) || only === undefined || found.length > 1 || wanted.trim() === '' ? wanted : only[0];
}

function replaceOnce(`,
      },
    ],
  },
];
