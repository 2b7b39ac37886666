import { entries } from './bank/bank.ts';
import type { Edit, Entry } from './bank/entry.ts';
import { type Conversation, failed, lastResult } from './conversation.ts';
import { call, type Move, type Planned, say } from './move.ts';
import { quote, type Toolbox } from './toolbox.ts';

const TITLE = /^\s*Improve this coding agent: (.+)/;
const NOTES = 'NOTES.md';

export function isImprovement({ task }: Conversation): boolean {
  return TITLE.test(task);
}

/** The next move on an agent's own source: the bank entry of the title, made with the agent's tools. */
export function improve(talk: Conversation, tools: Toolbox): Move {
  const title = TITLE.exec(talk.task)?.[1]?.trim() ?? '';
  if (title.includes(NOTES)) return addNote(talk, tools);
  const entry = entries.find((candidate) => candidate.title === title);
  if (!entry) return say('I do not know how to make this improvement, so I change nothing.');
  return look(entry, talk, tools) ?? apply(entry, talk, tools) ?? say(`Done: ${entry.title}.`);
}

/** Shows the place of every edit, whatever the agent's tools cut from long files. Stops where an anchor is not there. */
function look(entry: Entry, talk: Conversation, tools: Toolbox): Move | null {
  if (hasEdited(talk)) return null;
  const looks = entry.edits.flatMap((edit, index) => lookCall(edit, index, tools));
  if (entry.edits.length === 0) looks.push(...lookCall({ kind: 'run', command: 'ls' }, 0, tools));
  const open = looks.filter(({ purpose }) => !talk.results.has(purpose));
  if (open.length > 0) return call('Let me see the places to change.', ...open);
  if (entry.edits.length === 0) return say('That would be a new agent. I leave this one as it is.');
  return entry.edits.every((edit) => isShown(edit, talk)) ? null : say('The code to change is not there any more.');
}

function lookCall(edit: Edit, index: number, tools: Toolbox): Planned[] {
  const purpose = `look-${index}`;
  if (edit.kind === 'create') return [];
  if (edit.kind === 'run') return tools.run ? [{ purpose, call: tools.run('ls') }] : [];
  const lines = edit.anchor.split('\n');
  const first = lines.find((line) => line.trim() !== '') ?? '';
  const command = `grep -n -F -A ${lines.length} -- ${quote(first)} ${quote(edit.path)}`;
  if (tools.run) return [{ purpose, call: tools.run(command) }];
  return tools.read ? [{ purpose, call: tools.read(edit.path) }] : [];
}

function isShown(edit: Edit, talk: Conversation): boolean {
  return edit.kind !== 'replace' || edit.anchor.split('\n').every((line) => talk.seen.includes(line));
}

function apply(entry: Entry, talk: Conversation, tools: Toolbox): Move | null {
  const open = entry.edits.flatMap((edit, index) => {
    const results = talk.results.get(`edit-${index}`) ?? [];
    return results.some((result) => !failed(result)) ? [] : [{ edit, index, attempts: results.length }];
  });
  if (open.length === 0) return null;
  if (open.some(({ attempts }) => attempts >= 2)) return say('The edit does not work with these tools.');
  const calls = open.flatMap(({ edit, index }) => editCall(edit, `edit-${index}`, tools));
  return calls.length > 0 ? call('I make the change.', ...calls) : say('I have no tool to change a file with.');
}

function editCall(edit: Edit, purpose: string, tools: Toolbox): Planned[] {
  const made =
    edit.kind === 'run'
      ? tools.run?.(edit.command)
      : edit.kind === 'create'
        ? tools.write?.(edit.path, edit.text)
        : tools.replace?.(edit.path, edit.anchor, edit.replacement);
  return made ? [{ purpose, call: made }] : [];
}

/** The smallest change of all: a line, which the task states, at the end of a file that may not be there. */
function addNote(talk: Conversation, tools: Toolbox): Move {
  const line = /\n\n(- [^\n]+)/.exec(talk.task)?.[1] ?? 'A line.';
  const there = lastResult(talk, 'look-0');
  if (there === null) {
    const looking = tools.read?.(NOTES);
    return looking ? call('Let me see the notes.', { purpose: 'look-0', call: looking }) : say('I cannot read.');
  }
  const results = talk.results.get('edit-0') ?? [];
  if (results.some((result) => !failed(result))) return say('Done: the line is there.');
  if (results.length >= 2) return say('The edit does not work with these tools.');
  const edit = noteCall(failed(there) ? null : there, line, tools);
  return edit
    ? call('I add the line.', { purpose: 'edit-0', call: edit })
    : say('I have no tool to change a file with.');
}

function noteCall(notes: string | null, line: string, tools: Toolbox) {
  if (notes === null) return tools.write?.(NOTES, `${line}\n`);
  const last =
    notes
      .trimEnd()
      .split('\n')
      .findLast((text) => text !== '' && !/^exit code/.test(text)) ?? '';
  const isUnique = last !== '' && notes.split(last).length === 2;
  return isUnique
    ? tools.replace?.(NOTES, last, `${last}\n${line}`)
    : tools.run?.(`printf '%s\\n' ${quote(line)} >> ${NOTES}`);
}

function hasEdited({ results }: Conversation): boolean {
  return [...results.keys()].some((purpose) => purpose.startsWith('edit-'));
}
