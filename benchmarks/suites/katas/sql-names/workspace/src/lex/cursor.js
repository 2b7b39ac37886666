/** A place in a list of tokens. */
export class Cursor {
  #tokens;
  #at = 0;

  constructor(tokens) {
    this.#tokens = tokens;
  }

  get token() {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '' };
  }

  is(text) {
    return this.token.kind !== 'string' && this.token.text === text;
  }

  skip(text) {
    if (!this.is(text)) return false;
    this.#at += 1;
    return true;
  }

  take(kind) {
    const { token } = this;
    if (token.kind !== kind) throw new SyntaxError(`expected a ${kind}, found ${token.text || 'the end'}`);
    this.#at += 1;
    return token.text;
  }
}
