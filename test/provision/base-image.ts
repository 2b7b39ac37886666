import { copyFile, cp, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { run } from './command.ts';
import { osRelease, providePrograms } from './packages.ts';

const IMAGE = 'node:26-bookworm-slim';

/**
 * Makes sure the image that ours are built from is there: from the registry, or where none can be reached, made of this
 * system's own packages and the node that runs this. The stand-in has the same name, for the build to find it.
 */
export async function provideBaseImage(docker: Docker): Promise<void> {
  if (await exists(docker)) return;
  const pulled = await pull(docker).then(
    () => true,
    () => false,
  );
  if (!pulled) await makeImage(docker);
}

async function exists(docker: Docker): Promise<boolean> {
  return await docker
    .getImage(IMAGE)
    .inspect()
    .then(
      () => true,
      () => false,
    );
}

async function pull(docker: Docker): Promise<void> {
  const stream = await docker.pull(IMAGE);
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
}

async function makeImage(docker: Docker): Promise<void> {
  await providePrograms(['debootstrap']);
  const directory = await mkdtemp(path.join(tmpdir(), 'clade-test-image-'));
  const root = path.join(directory, 'root');
  try {
    const { codename } = await osRelease();
    await run([
      'debootstrap',
      '--variant=minbase',
      '--include=libatomic1',
      codename,
      root,
      await packageSource(codename),
    ]);
    await copyFile(process.execPath, path.join(root, 'usr/local/bin/node'));
    await copyNpm(path.join(root, 'usr/local'));
    await run(['tar', '-C', root, '-cf', path.join(directory, 'root.tar'), '.']);
    const stream = await docker.importImage(path.join(directory, 'root.tar'), {
      repo: 'node',
      tag: '26-bookworm-slim',
    });
    await new Promise((resolve, reject) => stream.resume().once('end', resolve).once('error', reject));
    if (!(await exists(docker))) throw new Error(`the made image ${IMAGE} was not imported`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function copyNpm(prefix: string): Promise<void> {
  const command = await realpath((await run(['sh', '-c', 'command -v npm'])).trim());
  const modules = path.join(prefix, 'lib/node_modules');
  await mkdir(modules, { recursive: true });
  await cp(path.resolve(path.dirname(command), '..'), path.join(modules, 'npm'), {
    recursive: true,
    dereference: true,
  });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', path.join(prefix, 'bin/npm'));
}

/** Where this system gets its own packages from. */
async function packageSource(codename: string): Promise<string> {
  const printed = await run(['apt-get', 'indextargets', '--format', '$(RELEASE) $(COMPONENT) $(REPO_URI)']);
  const lines = printed.split('\n').map((line) => line.split(' '));
  const source = lines.find(([release, component]) => release === codename && component === 'main')?.[2];
  if (source === undefined) throw new Error(`apt-get names no source for ${codename}`);
  return source;
}
