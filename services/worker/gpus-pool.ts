import { setTimeout as sleep } from 'node:timers/promises';
import { fits, type GpuNeed, gpuNeedOf } from '#services/resource-class.ts';
import type { Gpu } from './fleet.ts';
import { type GpuLook, leftovers } from './gpus-leftovers.ts';

export interface GpuPoolOptions {
  gpus: readonly Gpu[];
  /** Leases that one GPU serves at a time. Default 1. */
  share?: number;
  /** What is on GPUs now, by uuid. @throws when that cannot be found out. */
  look: (uuids: readonly string[], signal: AbortSignal) => Promise<Map<string, GpuLook>>;
  /** Told when a GPU is taken out of service, with the reason, and when it is put back (null). */
  onService?: (gpu: Gpu, outOfService: string | null) => void;
  /** How long what a job left behind may take to go away by itself, and how often it is looked at then and later. */
  patience?: { graceMs: number; soonMs: number; laterMs: number };
}

/** The right to use some GPUs. Disposing of it gives them back, once. */
export interface GpuLease extends Disposable {
  readonly uuids: readonly string[];
}

/** A GPU as it stands. */
export interface GpuStanding {
  gpu: Gpu;
  /** Leases that it serves now. */
  leases: number;
  /** Why it serves none; null when it is in service. */
  outOfService: string | null;
}

/** A driver takes a moment to clear up after a container that was killed. */
const PATIENCE = { graceMs: 5_000, soonMs: 500, laterMs: 10_000 };

/**
 * The GPUs of a worker. A lease is had at once and as a whole, so that nobody holds one GPU while waiting for another. Who came
 * first is served first, and GPUs that somebody waits for are not handed to those who came later. A GPU that nobody uses any
 * more is looked at before it is leased again: with leftovers on it, it is out of service until they are gone.
 */
export class GpuPool implements AsyncDisposable {
  readonly share: number;
  readonly #devices: Device[];
  readonly #look: GpuPoolOptions['look'];
  readonly #onService: NonNullable<GpuPoolOptions['onService']>;
  readonly #patience: typeof PATIENCE;
  readonly #closing = new AbortController();
  readonly #checks = new Set<Promise<void>>();
  /** In the order of their tickets. */
  #waiting: Waiter[] = [];
  #tickets = 0;
  /** Jobs for which GPUs are waited for. */
  readonly #asking = new Set<string>();

  constructor({ gpus, share = 1, look, onService = () => {}, patience = PATIENCE }: GpuPoolOptions) {
    this.share = share;
    this.#devices = gpus.map((gpu) => ({ gpu, leases: 0, before: null, isChecked: false, outOfService: null }));
    this.#look = look;
    this.#onService = onService;
    this.#patience = patience;
  }

  /** In service or not. */
  all(): Gpu[] {
    return this.#devices.map(({ gpu }) => gpu);
  }

  /** Those that are not leased for now, each with the reason. */
  outOfService(): { uuid: string; reason: string }[] {
    return this.#devices.flatMap(({ gpu, outOfService }) =>
      outOfService === null ? [] : [{ uuid: gpu.uuid, reason: outOfService.slice(0, 1_000) }],
    );
  }

  standing(): GpuStanding[] {
    return this.#devices.map(({ gpu, leases, outOfService }) => ({ gpu, leases, outOfService }));
  }

  /**
   * Resolves once the GPUs are there.
   * @throws RangeError when there are not as many of them, in service or not; the signal's reason; when the pool is disposed of.
   */
  async lease(need: GpuNeed, signal: AbortSignal): Promise<GpuLease> {
    if (this.#fitting(need).length < need.gpus) throw new RangeError('this worker does not have such GPUs');
    const ticket = this.#tickets++;
    for (;;) {
      const devices = await this.#grant(need, ticket, signal);
      const lease = this.#leaseOf(devices);
      if ((await this.#lookBefore(devices)) && !signal.aborted && !this.#closing.signal.aborted) return lease;
      lease[Symbol.dispose]();
      signal.throwIfAborted();
      this.#closing.signal.throwIfAborted();
    }
  }

  /** Of what a job needs. Null: there are no such GPUs here, or they are being waited for already, for the same job. */
  async leaseFor(
    { jobId, resourceClass }: { jobId: string; resourceClass: string },
    signal: AbortSignal,
  ): Promise<GpuLease | null> {
    const need = gpuNeedOf(resourceClass);
    if (need === null || this.#fitting(need).length < need.gpus || this.#asking.has(jobId)) return null;
    this.#asking.add(jobId);
    return this.lease(need, signal).finally(() => this.#asking.delete(jobId));
  }

  /** Those who wait are turned away, and nothing is looked at any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the worker is shutting down'));
    for (const { reject } of this.#waiting.splice(0)) reject(this.#closing.signal.reason);
    await Promise.all(this.#checks);
  }

  #fitting(need: GpuNeed): Device[] {
    return this.#devices.filter(({ gpu }) => fits(need, gpu, this.share));
  }

  #grant(need: GpuNeed, ticket: number, signal: AbortSignal): Promise<Device[]> {
    const both = AbortSignal.any([signal, this.#closing.signal]);
    both.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Device[]>();
    const waiter = { need, ticket, resolve, reject };
    const leave = () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      reject(both.reason);
      this.#serve();
    };
    both.addEventListener('abort', leave, { once: true });
    this.#waiting = [...this.#waiting, waiter].sort((a, b) => a.ticket - b.ticket);
    this.#serve();
    return promise.finally(() => both.removeEventListener('abort', leave));
  }

  /** Whoever cannot be served yet has a claim on all that would do, unless too few of them are in service. */
  #serve(): void {
    const claimed = new Set<Device>();
    for (const waiter of this.#waiting) {
      const { need, resolve } = waiter;
      const able = this.#fitting(need).filter(({ outOfService }) => outOfService === null);
      const free = able.filter((device) => this.#isFree(device) && !claimed.has(device)).sort(smallestFirst);
      if (free.length >= need.gpus) {
        const devices = free.slice(0, need.gpus);
        for (const device of devices) device.leases += 1;
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        resolve(devices);
      } else if (able.length >= need.gpus) for (const device of able) claimed.add(device);
    }
  }

  #isFree({ leases, isChecked }: Device): boolean {
    return leases < this.share && !isChecked;
  }

  /** @returns false when it cannot be found out what is on them; those are out of service then. */
  async #lookBefore(devices: readonly Device[]): Promise<boolean> {
    const unknown = devices.filter(({ before }) => before === null);
    const looks =
      unknown.length === 0
        ? null
        : this.#look(
            unknown.map(({ gpu }) => gpu.uuid),
            this.#closing.signal,
          );
    for (const device of unknown) {
      device.before = looks!.then((all) => {
        const look = all.get(device.gpu.uuid);
        if (look === undefined) throw new Error('nvidia-smi does not list it any more');
        return look;
      });
    }
    const seen = await Promise.allSettled(devices.map(({ before }) => before));
    for (const [index, one] of seen.entries())
      if (one.status === 'rejected') this.#takeOut(devices[index]!, reasonOf(one.reason));
    return seen.every(({ status }) => status === 'fulfilled');
  }

  #leaseOf(devices: readonly Device[]): GpuLease {
    let isHeld = true;
    return {
      uuids: devices.map(({ gpu }) => gpu.uuid),
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        for (const device of devices) this.#giveBack(device);
        this.#serve();
      },
    };
  }

  #giveBack(device: Device): void {
    device.leases -= 1;
    if (device.leases > 0) return;
    device.isChecked = true;
    const check = this.#check(device).finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  /** Until the GPU is clean, or the pool is closed. */
  async #check(device: Device): Promise<void> {
    const { graceMs, soonMs, laterMs } = this.#patience;
    const { signal } = this.#closing;
    const before = await device.before!.catch(() => null);
    for (let waitedMs = 0; !signal.aborted; ) {
      const left = await this.#leftOn(device, before);
      if (left === null) return this.#putBack(device);
      if (waitedMs >= graceMs) this.#takeOut(device, left);
      const pauseMs = device.outOfService === null ? soonMs : laterMs;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      waitedMs += pauseMs;
    }
  }

  async #leftOn({ gpu }: Device, before: GpuLook | null): Promise<string | null> {
    try {
      const looks = await this.#look([gpu.uuid], this.#closing.signal);
      return leftovers(before, looks.get(gpu.uuid) ?? null);
    } catch (error) {
      return `it cannot be looked at: ${reasonOf(error)}`;
    }
  }

  #takeOut(device: Device, reason: string): void {
    if (device.outOfService === reason) return;
    device.outOfService = reason;
    this.#onService(device.gpu, reason);
    this.#serve();
  }

  #putBack(device: Device): void {
    const wasOut = device.outOfService !== null;
    Object.assign(device, { before: null, isChecked: false, outOfService: null });
    if (wasOut) this.#onService(device.gpu, null);
    this.#serve();
  }
}

interface Device {
  gpu: Gpu;
  leases: number;
  /** What was on it before the leases of now; null while nobody uses it. */
  before: Promise<GpuLook> | null;
  /** Nobody uses it, and it is not known to be clean. */
  isChecked: boolean;
  outOfService: string | null;
}

interface Waiter {
  need: GpuNeed;
  ticket: number;
  resolve: (devices: Device[]) => void;
  reject: (reason: unknown) => void;
}

/** Large GPUs are left to those who need them, and of equal ones the idlest is taken. */
function smallestFirst(a: Device, b: Device): number {
  return a.gpu.memoryMiB - b.gpu.memoryMiB || a.leases - b.leases;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
