import { createHash, randomUUID } from 'node:crypto';
import type Docker from 'dockerode';
import type { HostConfig } from 'dockerode';
import { packTar } from '#sandbox/tar.ts';
import { abortable, answered, type Engine } from './answer.ts';
import { HOSTS, hostsMount } from './container-settings.ts';
import { removeContainer } from './removals.ts';

const NAME = 'hosts';
const VOLUME = `clade-hosts-${createHash('sha256').update(HOSTS).digest('hex').slice(0, 16)}`;

/**
 * An `/etc/hosts` for containers that cannot write their own and whose network nobody sets up: a file of ours in a volume of the
 * engine, made the first time. An engine puts an empty file in the place of what an image has there.
 */
export class HostsFile {
  readonly #engine: Engine;
  #path: Promise<string | undefined> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Where it is on the engine's machine; undefined where the engine does not mount files of its volumes.
   * @param image one that is there, to make containers of that never run.
   */
  async path(image: string): Promise<string | undefined> {
    this.#path ??= this.#provide(image).catch(() => undefined);
    return await this.#path;
  }

  /** To be called when a container could not be started, for instance since somebody removed the volume. */
  forget(): void {
    this.#path = undefined;
  }

  async #provide(image: string): Promise<string | undefined> {
    const { docker, answerMs } = this.#engine;
    const options = { Name: VOLUME, Driver: 'local', Labels: { 'dev.clade.tools': '1' } };
    await answered(answerMs, (abortSignal) => docker.createVolume(abortable(options, abortSignal)));
    const inspect = (abortSignal: AbortSignal) => docker.getVolume(VOLUME).inspect(abortable({}, abortSignal));
    const { Mountpoint } = await answered(answerMs, inspect);
    const file = `${Mountpoint}/${NAME}`;
    // An engine makes no container with a file that is not there.
    const isThere = () => this.#with(image, hostsMount(file), async () => file).catch(() => undefined);
    const found = await isThere();
    if (found !== undefined) return found;
    await this.#fill(image);
    return await isThere();
  }

  /** In a container that never runs, at a place that its image cannot have foreseen. */
  async #fill(image: string): Promise<void> {
    const target = `/${randomUUID()}`;
    const tar = packTar([{ path: NAME, bytes: new TextEncoder().encode(HOSTS), executable: false }]);
    const volume = { Type: 'volume' as const, Source: VOLUME, Target: target };
    await this.#with(image, volume, async (container) => {
      const put = (abortSignal: AbortSignal) =>
        container.putArchive(Buffer.from(tar), abortable({ path: target }, abortSignal));
      await answered(this.#engine.answerMs, put);
    });
  }

  async #with<T>(
    image: string,
    mount: NonNullable<HostConfig['Mounts']>[number],
    work: (container: Docker.Container) => Promise<T>,
  ): Promise<T> {
    const { docker, answerMs } = this.#engine;
    const settings = { Image: image, Cmd: ['true'], NetworkDisabled: true, HostConfig: { Mounts: [mount] } };
    const create = (abortSignal: AbortSignal) => docker.createContainer(abortable(settings, abortSignal));
    const container = await answered(4 * answerMs, create);
    try {
      return await work(container);
    } finally {
      await removeContainer(container, answerMs);
    }
  }
}
