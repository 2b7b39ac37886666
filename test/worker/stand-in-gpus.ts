import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Gpu } from '#services/worker/fleet.ts';

/** What the stand-in for `nvidia-smi` says. Fields of rows go by the names that `nvidia-smi --query-...` knows them by. */
export interface GpuState {
  gpus: Record<string, string | number>[];
  processes?: Record<string, string | number>[];
  /** Lines that it prints after its answer. */
  warnings?: string[];
  unknownFields?: string[];
  hangs?: boolean;
  fails?: { code: number; stdout?: string; stderr?: string };
}

/** A directory with a program called `nvidia-smi`, for machines without a GPU, and for troubles that no GPU has when wanted. */
export class StandInGpus implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'clade-gpus-'));
  readonly program = join(this.directory, 'nvidia-smi');

  constructor(state: GpuState) {
    const text = readFileSync(new URL('./nvidia-smi.cjs', import.meta.url), 'utf8');
    writeFileSync(this.program, `#!${process.execPath}\n${text}`);
    chmodSync(this.program, 0o755);
    this.say(state);
  }

  /** From now on it says this. */
  say(state: GpuState): void {
    writeFileSync(join(this.directory, 'next.json'), JSON.stringify(state));
    renameSync(join(this.directory, 'next.json'), join(this.directory, 'state.json'));
  }

  /** A PATH on which it comes first. */
  path(): string {
    return `${this.directory}${delimiter}${process.env.PATH}`;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A GPU as the driver lists it. */
export function listed(uuid: string, given: Record<string, string | number> = {}): Record<string, string | number> {
  const model = { name: 'NVIDIA H100 80GB HBM3', 'memory.total': 81559, 'memory.used': 4 };
  return { uuid, ...model, driver_version: '550.90.12', 'mig.mode.current': 'Disabled', ...given };
}

export function aGpu(uuid: string, given: Partial<Gpu> = {}): Gpu {
  return { uuid, model: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559, driver: '550.90.12', ...given };
}
