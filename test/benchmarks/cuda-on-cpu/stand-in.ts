import { execFile } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Makes a folder that has `bin/nvcc` and a runtime as an installation of CUDA has, all of it for the CPU. Needs g++. */
export async function provideNvcc(home: string): Promise<{ bin: string }> {
  const here = import.meta.dirname;
  const [bin, lib] = [path.join(home, 'bin'), path.join(home, 'lib64')];
  await mkdir(bin, { recursive: true });
  await mkdir(lib, { recursive: true });
  await cp(path.join(here, 'include'), path.join(home, 'include'), { recursive: true });
  const program = [process.execPath, path.join(here, 'nvcc-process.ts'), home].map((word) => `'${word}'`).join(' ');
  await writeFile(path.join(bin, 'nvcc'), `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 });
  const flags = ['-std=c++17', '-O2', '-fPIC', '-shared', `-I${home}/include`, '-o', path.join(lib, 'libcudart.so')];
  await run('g++', [...flags, path.join(here, 'cudart.cpp')]);
  return { bin };
}
