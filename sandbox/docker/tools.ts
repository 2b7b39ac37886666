import type { ImageInspectInfo } from 'dockerode';
import { abortable, answered, type Engine } from './answer.ts';
import { TOOLS } from './container-settings.ts';
import { removeContainer } from './removals.ts';
import { SingleFlight } from './single-flight.ts';

/** The image that has Node and git at `/opt/clade`. */
export const TOOLS_IMAGE = 'clade/tools:1';

/** The engine copies some 200 MB. */
const COPY_MS = 180_000;

const flights = new SingleFlight<string>();
/** The volumes that this process has seen filled. */
const filled = new WeakMap<Engine['docker'], Set<string>>();

/**
 * The volume with Node and git for images that may have neither, made of that image the first time.
 * Mounted read-only it is a layer of no image, however many use it.
 * @returns its name.
 */
export async function toolsVolume(engine: Engine, { Id }: Pick<ImageInspectInfo, 'Id'>): Promise<string> {
  const name = `clade-tools-${Id.replace('sha256:', '').slice(0, 16)}`;
  const known = filled.get(engine.docker) ?? new Set();
  filled.set(engine.docker, known);
  if (!known.has(name)) known.add(await flights.join(name, {}, () => fill(engine, Id, name)));
  return name;
}

/** An engine fills an empty volume from the image as it makes a container with it. The container never runs. */
async function fill({ docker, answerMs }: Engine, image: string, name: string): Promise<string> {
  const mount = { Type: 'volume' as const, Source: name, Target: TOOLS, VolumeOptions: volumeOptions };
  const container = await answered(COPY_MS, (abortSignal) =>
    docker.createContainer(abortable({ Image: image, Cmd: ['true'], HostConfig: { Mounts: [mount] } }, abortSignal)),
  );
  await removeContainer(container, answerMs);
  return name;
}

const volumeOptions = {
  NoCopy: false,
  Labels: { 'dev.clade.tools': '1' },
  DriverConfig: { Name: 'local', Options: {} },
};
