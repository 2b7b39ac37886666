import { gpusText } from '#services/resource-class.ts';
import type { WorkerState, WorkerView } from '#services/scheduler/worker-view.ts';
import { plainLine } from './plain-text.ts';
import { table } from './table.ts';
import type { Paint } from './terminal.ts';
import { duration } from './words.ts';

/** The workers as a table, and below it why some take no jobs. */
export function workerTable(workers: readonly WorkerView[], { paint, nowMs }: { paint: Paint; nowMs: number }): string {
  const rows = workers.map((worker) => [
    worker.name,
    paintWorkerState(paint, worker.state),
    slotsText(worker),
    worker.load === null ? '-' : worker.load.toFixed(1),
    String(worker.cpus),
    gpusText(worker.gpus),
    driversText(worker),
    plainLine(worker.version, 20),
    plainLine(worker.labels.join(' '), 40),
    duration(nowMs - worker.lastHeardMs),
  ]);
  const headings = ['worker', 'state', 'slots>', 'load>', 'cores>', 'GPUs', 'sandboxes', 'version', 'labels', 'heard>'];
  const unwell = workers.filter(({ state, unwell: why }) => state === 'unwell' && why !== null);
  const why = unwell.map((worker) =>
    paint.yellow(`${worker.name} takes no jobs: ${plainLine(worker.unwell ?? '', 400)}`),
  );
  const out = workers.flatMap(({ name, gpusOut }) =>
    gpusOut.map(({ uuid, reason }) => paint.yellow(`${name} does not use ${uuid}: ${plainLine(reason, 400)}`)),
  );
  return [table(headings, rows), ...why, ...out].join('\n');
}

/** One line about them all: `Workers: 2 of 3 here, 5 of 16 slots busy. b takes no jobs: …`. */
export function fleetLine(workers: readonly WorkerView[]): string {
  const here = workers.filter(({ state }) => !['away', 'left', 'removed'].includes(state));
  const sum = (figure: (worker: WorkerView) => number) => here.reduce((total, worker) => total + figure(worker), 0);
  const busy = `${sum((worker) => worker.busy)} of ${sum((worker) => worker.slots)} slots busy`;
  const told = workers.flatMap(({ name, state, unwell }) => {
    if (state === 'unwell') return [`${name} takes no jobs: ${plainLine(unwell ?? '', 200)}.`];
    return state === 'active' || state === 'left' ? [] : [`${name} is ${state}.`];
  });
  return [`Workers: ${here.length} of ${workers.length} here, ${busy}.`, ...told].join(' ');
}

function slotsText({ busy, slots, state }: WorkerView): string {
  return state === 'left' ? '-' : `${busy}/${slots}`;
}

function driversText({ drivers }: WorkerView): string {
  const here = drivers.filter(({ available }) => available).map(({ name }) => plainLine(name, 20));
  return here.join(' ') || '-';
}

function paintWorkerState(paint: Paint, state: WorkerState): string {
  if (state === 'active') return paint.green(state);
  return state === 'away' || state === 'removed' ? paint.red(state) : paint.yellow(state);
}
