import type { AgentId, Event } from '#archive/schema.ts';
import { type LiveState, liveLine, livePicture } from './live-picture.ts';
import { plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';
import { dollars, shortId } from './words.ts';

/** Shows a run while it goes on. Nothing of it stays on a screen once it is disposed of. */
export interface LiveView extends Disposable {
  show(state: LiveState, news: readonly Event[]): void;
}

/** Milliseconds between two lines where there is no screen to redraw. */
const LINE_EVERY_MS = 5_000;

/** Redraws a few lines on a screen; elsewhere says a line now and then on stderr, and at once what is worth knowing. */
export function createLiveView(terminal: Terminal, { json }: { json: boolean }): LiveView {
  return terminal.interactive && !json ? new ScreenView(terminal) : new LineView(terminal);
}

/** Draws over its own last picture, in one write, so that nothing flickers and no mode is left set. */
class ScreenView implements LiveView {
  readonly #terminal: Terminal;
  #height = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(state: LiveState, news: readonly Event[]): void {
    const { paint } = this.#terminal;
    const said = news.flatMap((event) => noticeLine(event) ?? []);
    const lines = livePicture(state, { paint, columns: this.#terminal.columns() });
    this.#terminal.write(`${this.#home()}${[...said, ...lines].map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    this.#height = lines.length;
  }

  [Symbol.dispose](): void {
    this.#terminal.write(`${this.#home()}\u001b[J`);
    this.#height = 0;
  }

  #home(): string {
    return this.#height === 0 ? '' : `\u001b[${this.#height}F`;
  }
}

class LineView implements LiveView {
  readonly #terminal: Terminal;
  #champion: AgentId | null = null;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(state: LiveState, news: readonly Event[]): void {
    for (const event of news) {
      const line = newsLine(event);
      if (line !== null) this.#terminal.say(line);
    }
    const champion = state.run.champion?.id ?? null;
    if (champion === this.#champion && state.nowMs - this.#saidAt < LINE_EVERY_MS) return;
    this.#champion = champion;
    this.#saidAt = state.nowMs;
    this.#terminal.say(liveLine(state));
  }

  [Symbol.dispose](): void {}
}

function newsLine(event: Event): string | null {
  const { data } = event;
  if (data.kind === 'agent-joined' && data.parent !== null) {
    return `${shortId(data.agent)} joined, child of ${shortId(data.parent)}: ${plainLine(data.summary, 100)}`;
  }
  if (data.kind === 'proposal-settled' && data.outcome !== 'joined') {
    return `${shortId(data.proposal)} from ${shortId(data.parent)}: ${data.outcome} (${dollars(data.spentUusd)})`;
  }
  if (data.kind === 'run-state')
    return `run is ${data.state}${data.reason === null ? '' : `: ${plainLine(data.reason)}`}`;
  return noticeLine(event);
}

/** What of an event must not be missed; null for most. */
export function noticeLine({ data }: Event): string | null {
  return data.kind === 'notice' && data.level !== 'info' ? `${data.level}: ${plainLine(data.message)}` : null;
}
