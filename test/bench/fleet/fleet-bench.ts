/** What the sections of `bench:fleet` are asked. */
export interface FleetBench {
  /** Trials of a run; undefined: as many as the section takes for a figure to rest on. */
  trials: number | undefined;
  faults: number;
  /** What the faults' sandboxes are. */
  sandbox: 'process' | 'docker';
  randomSeed: number;
  say(line: string): void;
}
