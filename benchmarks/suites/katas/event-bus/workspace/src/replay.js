/** Remembers the last events of a topic and gives them to listeners that come late. */
export class Replay {
  #bus;
  #name;
  #last = [];

  constructor(bus, name, limit = 10) {
    this.#bus = bus;
    this.#name = name;
    bus.on(name, (event) => {
      this.#last.push(event);
      if (this.#last.length > limit) this.#last.shift();
    });
  }

  on(listener) {
    for (const event of this.#last) listener(event);
    return this.#bus.on(this.#name, listener);
  }
}
