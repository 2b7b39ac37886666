/** The listeners of one topic. */
export class Topic {
  #listeners = [];

  add(listener) {
    if (typeof listener !== 'function') throw new TypeError('a listener must be a function');
    this.#listeners.push(listener);
  }

  remove(listener) {
    const index = this.#listeners.indexOf(listener);
    if (index >= 0) this.#listeners.splice(index, 1);
  }

  send(event) {
    let called = 0;
    for (const listener of this.#listeners) {
      listener(event);
      called += 1;
    }
    return called;
  }
}
