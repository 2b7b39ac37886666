import { Topic } from './topic.js';

/** Events by topic. Listeners are called in the order in which they were added. */
export class Bus {
  #topics = new Map();

  on(name, listener) {
    this.#topicOf(name).add(listener);
    return () => this.off(name, listener);
  }

  once(name, listener) {
    const off = this.on(name, (event) => {
      off();
      listener(event);
    });
    return off;
  }

  off(name, listener) {
    this.#topicOf(name).remove(listener);
  }

  /** Calls everyone who listens at this moment; returns how many that were. */
  emit(name, event) {
    return this.#topicOf(name).send(event);
  }

  #topicOf(name) {
    if (!this.#topics.has(name)) this.#topics.set(name, new Topic());
    return this.#topics.get(name);
  }
}
