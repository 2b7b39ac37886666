import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blobs } from '#archive/blobs.ts';
import { temporaryDirectory, writeFiles } from './builders.ts';

describe('a stored text', () => {
  it('is read back byte for byte, whatever it holds', () => {
    using directory = temporaryDirectory();
    const blobs = new Blobs(directory.path);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(Buffer.from(blobs.read(blobs.write(bytes)))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 50, seed: 1 },
    );
    expect(blobs.readText(blobs.write('Grüße\u0000\n'))).toBe('Grüße\u0000\n');
  });

  it('is kept once, under the SHA-256 of its bytes', () => {
    using directory = temporaryDirectory();
    const blobs = new Blobs(directory.path);
    expect(blobs.write('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    blobs.write(Buffer.from('abc'));
    expect(readdirSync(join(directory.path, 'ba'))).toHaveLength(1);
    expect(readdirSync(join(directory.path, 'unfinished'))).toEqual([]);
  });

  it('is missed, not invented, when it is gone, damaged or asked for by a wrong name', () => {
    using directory = temporaryDirectory();
    const blobs = new Blobs(directory.path);
    expect(() => blobs.read('0'.repeat(64))).toThrow(/no stored text/);
    expect(() => blobs.read('../../etc/passwd')).toThrow(/not the digest/);
    const [digest, other] = [blobs.write('one'), blobs.write('two')];
    const file = (name: string) => join(directory.path, name.slice(0, 2), `${name.slice(2)}.gz`);
    writeFileSync(file(digest), Buffer.from(new Blobs(directory.path).read(other)));
    expect(() => blobs.read(digest)).toThrow();
  });

  it('that was half written in a crash is swept away', () => {
    using directory = temporaryDirectory();
    writeFiles(directory.path, { 'unfinished/half': 'x' });
    new Blobs(directory.path).sweep();
    expect(existsSync(join(directory.path, 'unfinished'))).toBe(false);
  });
});
