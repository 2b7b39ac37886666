import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withoutLaunches } from './launches.ts';

// `nvcc` for machines without: compiles CUDA C++ for the CPU by g++, with the stand-in for the runtime that lies beside it. What was
// compiled once is kept by all that it was made of.

const home = path.resolve(process.argv[2] ?? '');
const given = process.argv.slice(3);

const isOutput = (at: number): boolean => given[at - 1] === '-o';
const sourceAt = given.findIndex((word, at) => /\.(?:cu|cpp)$/.test(word) && !isOutput(at));
const output = given[given.indexOf('-o') + 1] ?? 'a.out';

process.exitCode = sourceAt < 0 ? compile(given) : fromCache(given[sourceAt] ?? '');

function fromCache(source: string): number {
  const kept = path.join(home, 'cache', keyOf(source));
  if (!existsSync(kept)) {
    const code = compileSource(source);
    if (code === 0) keep(kept);
    return code;
  }
  copyFileSync(kept, output);
  return 0;
}

function keep(kept: string): void {
  try {
    mkdirSync(path.dirname(kept), { recursive: true });
    copyFileSync(output, `${kept}.${process.pid}`);
    renameSync(`${kept}.${process.pid}`, kept);
  } catch {
    // In a sandbox nothing can be kept.
  }
}

function keyOf(source: string): string {
  const folders = [path.dirname(source), ...given.filter((word) => word.startsWith('-I')).map((word) => word.slice(2))];
  const headers = folders.flatMap((folder) => globSync(`${folder}/*.h`)).sort();
  const words = given.filter((_, at) => !isOutput(at) && given[at] !== '-o');
  const hash = createHash('sha256').update(JSON.stringify(words));
  for (const file of [source, ...headers]) hash.update(`${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function compileSource(source: string): number {
  if (!source.endsWith('.cu')) return compile(given);
  const translated = `${output}.translated.cpp`;
  const text = withoutLaunches(readFileSync(source, 'utf8'));
  writeFileSync(translated, `#include <cuda_runtime.h>\n#line 1 "${source}"\n${text}`);
  return compile(['-D__CUDACC__', '-I', path.dirname(source), ...given.with(sourceAt, translated)]);
}

function compile(words: readonly string[]): number {
  const own = [`-I${home}/include`, '-O1', '-w', '-fno-strict-aliasing', '-ffp-contract=off'];
  const argv = [...own, ...words.flatMap(asForGcc), `-L${home}/lib64`];
  if (words.includes('shared') && !words.includes('-c')) argv.push('-lcudart', `-Wl,-rpath,${home}/lib64`);
  return spawnSync('g++', argv, { stdio: 'inherit' }).status ?? 1;
}

function asForGcc(word: string, at: number, words: readonly string[]): string[] {
  const before = words[at - 1];
  if (word === '-Xlinker' || word === '-Xcompiler' || word === '-cudart' || word.startsWith('-arch=') || word === '-O3')
    return [];
  if (before === '-cudart') return [];
  return before === '-Xlinker' ? [`-Wl,${word}`] : [word];
}
