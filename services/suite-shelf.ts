import { join } from 'node:path';
import type { Suite } from '#benchmarks/schema.ts';
import { listSuites, openSuite } from '#benchmarks/suite.ts';

/** The suites a service knows: the built-in ones and those imported into its data directory. Opened once, then kept. */
export class SuiteShelf {
  readonly directory: string;
  readonly #opened = new Map<string, Suite>();

  constructor(home: string) {
    this.directory = join(home, 'suites');
  }

  /** @throws SuiteError when there is no such suite or it is broken. */
  async open(name: string): Promise<Suite> {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const suite = await openSuite(name, { shelf: this.directory });
    this.#opened.set(name, suite);
    return suite;
  }

  list() {
    return listSuites({ shelf: this.directory });
  }

  /** Those opened so far. */
  opened(): Suite[] {
    return [...this.#opened.values()];
  }
}
