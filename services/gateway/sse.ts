/** One event of a stream of server-sent events. */
export interface SseEvent {
  /** Null when the stream gave it no name. */
  event: string | null;
  data: string;
}

/** Takes the pieces of an event stream as they come and gives back the events they complete. */
export class SseReader {
  #pending = '';

  /** @throws RangeError when an event grows beyond `maxEventChars`. */
  push(text: string, maxEventChars = 16 * 1024 * 1024): SseEvent[] {
    this.#pending += text;
    const blocks = this.#pending.split(/\r\n\r\n|\n\n|\r\r/);
    this.#pending = blocks.pop() ?? '';
    if (this.#pending.length > maxEventChars)
      throw new RangeError(`An event is longer than ${maxEventChars} characters.`);
    return blocks.map(parsed).filter((event) => event !== null);
  }
}

export function formatSse({ event, data }: SseEvent): string {
  const lines = data.split('\n').map((line) => `data: ${line}\n`);
  return `${event === null ? '' : `event: ${event}\n`}${lines.join('')}\n`;
}

/** Null for a block without data: a comment that keeps the connection alive, or a bare name. */
function parsed(block: string): SseEvent | null {
  let event: string | null = null;
  const data: string[] = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join('\n') };
}
