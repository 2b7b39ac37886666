/** Collects what a command prints, in bounded memory, and cuts it for the model. */
export class Output {
  readonly #limit: number;
  #kept = '';
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(text: string): void {
    const room = Math.max(0, this.#limit - this.#kept.length);
    this.#kept += text.slice(0, room);
    this.#dropped += Math.max(0, text.length - room);
  }

  text(): string {
    if (this.#dropped === 0) return this.#kept;
    return `${this.#kept}\n[cut: ${this.#dropped} more characters]\n`;
  }
}
