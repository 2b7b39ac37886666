import type { ProgressView, RunView } from '#services/api/schema.ts';
import { scoreText } from '#services/score.ts';
import { plainLine } from './plain-text.ts';
import type { Paint } from './terminal.ts';
import { duration, ofLimit, paintScore, paintState, shortId, spendText } from './words.ts';

export interface LiveState {
  run: RunView;
  progress: readonly ProgressView[];
  nowMs: number;
}

/** Slots drawn one by one; of more, the rest is counted. */
const SLOTS_SHOWN = 12;

/** A run under way in a few lines: what each slot does, trials, champion so far, spend against budget. */
export function livePicture(
  { run, progress, nowMs }: LiveState,
  { paint, columns }: { paint: Paint; columns: number },
): string[] {
  const head = `${paint.bold(run.id)}  ${plainLine(run.spec.suite, 40)}  ${run.spec.policy.kind}  ${paintState(paint, run.state)}`;
  return [
    `${head}  ${duration((run.endedAt ?? nowMs) - run.createdAt)}`,
    ...slotLines(run, progress, nowMs, columns).map((line) => paint.dim(line)),
    `  ${countsText(run)}`,
    `  champion so far: ${championText(run, paint)}`,
  ];
}

/** The same as one line, for logs. */
export function liveLine({ run, progress, nowMs }: LiveState): string {
  const champion =
    run.champion === null ? '' : `, champion ${shortId(run.champion.id)} ${scoreText(run.champion.score)}`;
  return `${duration(nowMs - run.createdAt)}: ${run.state}, ${progress.length} under way, ${countsText(run)}${champion}`;
}

function countsText({ counts, budget, ...run }: RunView): string {
  const trials = `trials ${ofLimit(counts.trialsSettled, budget.trials?.limit)}`;
  const proposals = `proposals ${ofLimit(counts.proposals, budget.proposals?.limit)}`;
  return `${trials}  ${proposals}  agents ${ofLimit(counts.agents, budget.agents?.limit)}  spent ${spendText({ ...run, budget })}`;
}

function championText({ champion }: RunView, paint: Paint): string {
  if (champion === null) return paint.dim('none yet');
  return `${shortId(champion.id)} (generation ${champion.generation})  ${paintScore(paint, champion.score)}`;
}

/** As many lines as the run has slots, so that the picture keeps its height. */
function slotLines({ spec }: RunView, progress: readonly ProgressView[], nowMs: number, columns: number): string[] {
  const shown = Math.min(spec.slots, SLOTS_SHOWN);
  const lines = Array.from({ length: shown }, (_, index) => {
    const slot = progress[index];
    if (slot === undefined) return `  ${index + 1}  -`;
    const what = `${shortId(slot.jobId).padEnd(5)} ${slot.stage.padEnd(10)} ${plainLine(slot.detail)}`;
    return plainWidth(`  ${index + 1}  ${duration(nowMs - slot.sinceMs).padStart(5)}  ${what}`, columns);
  });
  return progress.length > shown ? [...lines, `     and ${progress.length - shown} more`] : lines;
}

function plainWidth(line: string, columns: number): string {
  return line.length < columns ? line : `${line.slice(0, columns - 2)}…`;
}
