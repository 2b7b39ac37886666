import type { Ability } from '#benchmarks/schema.ts';
import { type Advice, readAdvice } from './advice.ts';
import { chance } from './chance.ts';
import { type Conversation, failed, lastResult } from './conversation.ts';
import type { Known } from './knowledge.ts';
import { call, type Move, type Planned, say } from './move.ts';
import type { Change } from './reference.ts';
import { type Call, quote, type Toolbox } from './toolbox.ts';

/** All that a move depends on. */
interface Scene {
  known: Known;
  talk: Conversation;
  tools: Toolbox;
  advice: Advice;
}

/** What is left to do before the work goes on; null when this is done. */
type Phase = (scene: Scene) => Move | null;

const phases: readonly Phase[] = [reproduce, locate, explore, read, stumble, begin, test, finish];

/** Calls before the first edit of a task that takes persistence: more than a small step limit allows, or many more. */
const longWays = [18, 34] as const;

/** Last line of a long report. */
const reportEnd = 'END OF REPORT';

/**
 * The next move on a task whose solution is known. Makes a change only after the conversation has shown what a model would
 * need to see for it, and with the agent's own tools.
 */
export function solve(known: Known, talk: Conversation, tools: Toolbox): Move {
  const scene = { known, talk, tools, advice: readAdvice(talk, tools, known.task.id) };
  for (const phase of phases) {
    const move = phase(scene);
    if (move) return move;
  }
  return say('Done: the change is made.');
}

/** `tail-output`: what is wrong stands at the end of a long report. */
function reproduce(scene: Scene): Move | null {
  if (!takes(scene, 'tail-output') || hasChanged(scene)) return null;
  const { talk, tools, known } = scene;
  const report = lastResult(talk, 'report');
  if (report?.includes(reportEnd)) return null;
  if (report !== null || !tools.run) return say('The report is cut before it says what is wrong.');
  const command = `(seq -f 'case %g passed' 1 600; ${testCommand(known)} | tail -n 20; echo '${reportEnd}')`;
  return call('Let me see the report.', { purpose: 'report', call: tools.run(command) });
}

/** The files to change must be named by the task, or be found. `search`: only a search finds them. */
function locate(scene: Scene): Move | null {
  const { talk, tools, known } = scene;
  if (hasChanged(scene)) return null;
  if (takes(scene, 'search')) return searched(scene);
  const shown = talk.task + talk.seen;
  const hidden = known.paths.find((path) => !shown.includes(baseName(path)));
  if (hidden === undefined) return null;
  if (lastResult(talk, 'list') !== null || !tools.run) return say('I do not see which file this is about.');
  const list = "find . -type f -not -path '*/.git/*' -not -path '*/node_modules/*' | sort | head -n 200";
  return call('Let me see what is here.', { purpose: 'list', call: tools.run(list) });
}

function searched({ talk, tools, known, advice }: Scene): Move | null {
  const found = lastResult(talk, 'search');
  if (found !== null) {
    const isThere = known.paths[0] === undefined || found.includes(baseName(known.paths[0]));
    return isThere ? null : say('The search did not find the place.');
  }
  const search = advice.search ? searchCall(tools, known.word) : null;
  if (search) return call(`Let me search for ${known.word}.`, { purpose: 'search', call: search });
  if (lastResult(talk, 'look') !== null || !tools.run) return say('I do not see where this is done.');
  return call('Let me look around.', { purpose: 'look', call: tools.run('ls') });
}

function searchCall(tools: Toolbox, word: string): Call | null {
  if (tools.search) return tools.search(word);
  const skip = '--exclude-dir=.git --exclude-dir=node_modules';
  return tools.run?.(`grep -rn ${skip} ${quote(word)} . | sort | head -n 40`) ?? null;
}

/** `persistence`: a long way before the first edit. */
function explore(scene: Scene): Move | null {
  const { talk, tools, known, advice } = scene;
  if (!takes(scene, 'persistence') || hasChanged(scene) || !tools.read) return null;
  const [short, long] = longWays;
  const way = chance(`way ${known.task.id}`) < 0.5 ? short : long;
  const left = way - known.reference.changes.length * 2 - (talk.results.get('explore')?.length ?? 0);
  if (left <= 0) return null;
  const at = talk.results.get('explore')?.length ?? 0;
  const count = Math.min(left, advice.severalCalls ? 2 : 1);
  const calls = Array.from({ length: count }, (_, index) => glance(scene, at + index));
  return call('Let me look at one thing after the other.', ...calls);
}

function glance({ known, tools }: Scene, index: number): Planned {
  const { workspace } = known.task;
  const path = workspace[index % workspace.length]?.path ?? '.';
  const look = tools.run?.(`head -n 3 ${quote(path)}`) ?? tools.read?.(path);
  if (!look) throw new Error('explore() checks that there is a way to read');
  return { purpose: 'explore', call: look };
}

/** The old text of every change must have been shown. `ranged-read`: by its lines, since nobody remembers a whole long file. */
function read(scene: Scene): Move | null {
  if (hasChanged(scene) || scene.advice.haste) return null;
  const { talk, tools, known, advice } = scene;
  const byLines = takes(scene, 'ranged-read');
  if (!byLines && isShown(scene)) return null;
  const readAll = tools.read;
  const whole = readAll ? known.paths.map((path, index) => ({ purpose: `read-${index}`, call: readAll(path) })) : [];
  const isRead = whole.every(({ purpose }) => talk.results.has(purpose));
  if (!isRead && !(byLines && advice.ranges)) return step(scene, 'Let me read that.', whole);
  const parts = advice.ranges ? known.reference.changes.map((change, index) => viewCall(tools, change, index)) : [];
  const views = parts.filter((planned) => planned !== null);
  if (views.some(({ purpose }) => !talk.results.has(purpose))) return step(scene, 'Let me read those lines.', views);
  if (isShown(scene) && (!byLines || views.length > 0 || isNewOnly(known))) return null;
  return guess(scene);
}

function viewCall(tools: Toolbox, change: Change, index: number): Planned | null {
  if (change.kind === 'remove' || (change.kind === 'write' && change.isNew)) return null;
  const { first, last } = change.kind === 'replace' ? change.lines : { first: 1, last: 80 };
  const [from, to] = [Math.max(1, first - 3), last + 3];
  const view = tools.view?.(change.path, from, to) ?? tools.run?.(`sed -n '${from},${to}p' ${quote(change.path)}`);
  return view ? { purpose: `view-${index}`, call: view } : null;
}

/** Edits a text that was not seen, from memory, and stops when that fails. */
function guess({ known, talk, tools }: Scene): Move {
  const change = known.reference.changes.find(({ kind }) => kind === 'replace');
  if (change?.kind !== 'replace' || !tools.replace || talk.results.has('guess')) {
    return say('I could not see the text that has to change.');
  }
  const before = change.before.replace(/\w+/, 'something');
  return call('It should look like this.', {
    purpose: 'guess',
    call: tools.replace(change.path, before, change.after),
  });
}

/** `recover`: the first attempt fails, and only an agent that asks to go on gets a second. */
function stumble(scene: Scene): Move | null {
  const { talk, tools, known } = scene;
  if (!takes(scene, 'recover') || talk.nudges > 0 || hasChanged(scene) || !tools.replace) return null;
  const slip = lastResult(talk, 'slip');
  if (slip !== null) return failed(slip) ? say('That did not work.') : null;
  const change = known.reference.changes.find(({ kind }) => kind === 'replace');
  const { path, before, after } =
    change?.kind === 'replace' ? change : { path: 'missing', before: 'missing', after: '' };
  const close = chance(`slip ${known.task.id}`) < 0.5 ? reindented(before) : before;
  const wrong = close === before ? before.replace(/\w+/, 'something') : close;
  return call('I change it.', { purpose: 'slip', call: tools.replace(path, wrong, after) });
}

/** The same text, with other spaces at the ends of its lines. */
function reindented(text: string): string {
  return text.replace(/^ +/gm, (spaces) => `${spaces} `);
}

/** Makes the change. Where running the tests would show that more is missing, only its beginning. */
function begin(scene: Scene): Move | null {
  const { reference } = scene.known;
  return make(scene, 'edit', takes(scene, 'run-tests') || isHasty(scene) ? reference.beginning : reference.changes);
}

/** `run-tests`: done only by an agent that tells to. */
function test(scene: Scene): Move | null {
  const { talk, tools, known, advice } = scene;
  if (!takes(scene, 'run-tests') || !advice.runTests || talk.results.has('test')) return null;
  return tools.run && call('Now the tests.', { purpose: 'test', call: tools.run(testCommand(known)) });
}

function finish(scene: Scene): Move | null {
  if (!takes(scene, 'run-tests') || isHasty(scene)) return null;
  if (!scene.talk.results.has('test')) return null;
  return make(scene, 'rest', scene.known.reference.rest);
}

function make(scene: Scene, name: string, changes: readonly Change[]): Move | null {
  const { talk, tools } = scene;
  const open = changes.flatMap((change, index) => {
    const results = talk.results.get(`${name}-${index}`) ?? [];
    if (results.some((result) => !failed(result)) || isDoneBySlip(scene, change)) return [];
    return [{ change, purpose: `${name}-${index}`, attempts: results.length }];
  });
  if (open.length === 0) return null;
  if (open.some(({ attempts }) => attempts >= 2)) return say('The edit does not work with these tools.');
  const calls = open.flatMap(({ change, purpose }) => {
    const edit = changeCall(tools, change);
    return edit ? [{ purpose, call: edit }] : [];
  });
  return calls.length > 0 ? step(scene, 'I change it.', calls) : say('I have no tool to change a file with.');
}

function changeCall(tools: Toolbox, change: Change): Call | null {
  if (change.kind === 'remove') return tools.run?.(`rm ${quote(change.path)}`) ?? null;
  if (change.kind === 'write') return tools.write?.(change.path, change.text) ?? null;
  return tools.replace?.(change.path, change.before, change.after) ?? null;
}

/** Makes these calls: all in one answer, but one by one where the way is long. */
function step(scene: Scene, text: string, planned: readonly Planned[]): Move {
  const open = planned.filter(({ purpose }) => !scene.talk.results.has(purpose));
  const calls = open.length > 0 ? open : planned;
  const count = scene.advice.severalCalls ? 2 : 1;
  return call(text, ...(takes(scene, 'persistence') ? calls.slice(0, count) : calls));
}

function takes({ known }: Scene, ability: Ability): boolean {
  return known.task.abilities.includes(ability);
}

/** Told to hurry, the model hurries wherever there is something to overlook. */
function isHasty({ advice, known }: Scene): boolean {
  return advice.haste && known.task.abilities.length > 0;
}

function hasChanged({ talk }: Scene): boolean {
  return [...talk.results.keys()].some((purpose) => purpose.startsWith('edit-'));
}

function isDoneBySlip({ talk, known }: Scene, change: Change): boolean {
  const slip = lastResult(talk, 'slip');
  const meant = known.reference.changes.find(({ kind }) => kind === 'replace');
  return slip !== null && !failed(slip) && change === meant;
}

function isShown({ known, talk }: Scene): boolean {
  return known.reference.changes.every((change, index) => {
    if (change.kind === 'remove' || (change.kind === 'write' && change.isNew)) return true;
    if (change.kind === 'replace') return change.before.split('\n').every((line) => talk.seen.includes(line.trim()));
    return talk.results.has(`view-${index}`) || talk.results.has(`read-${known.paths.indexOf(change.path)}`);
  });
}

function isNewOnly(known: Known): boolean {
  return known.paths.length === 0;
}

/** The task's tests as far as the workspace has them. Times are taken out of what they print. */
function testCommand({ task }: Known): string {
  const hidden = new Set(task.hiddenTests.map(({ path }) => path));
  const there = new Set(task.workspace.map(({ path }) => path));
  const words = task.test.command.filter((word) => !hidden.has(word) || there.has(word)).map(quote);
  return `(set -o pipefail; ${words.join(' ')} 2>&1 | sed -E 's/[0-9.]+ ?m?s\\b//g; s/(duration_ms).*/\\1/')`;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
