import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

  it('goes into one file with others that are written meanwhile, and is found in it', async () => {
    using directory = temporaryDirectory();
    const blobs = new Blobs(directory.path);
    const texts = Array.from({ length: 20 }, (_, i) => ({
      a: `Grüße ${i}\u0000`,
      b: null,
      c: i % 2 ? '' : 'c'.repeat(i),
    }));
    const names = await Promise.all(texts.map((one) => blobs.writeAll(one)));
    expect(names.map(({ b }) => b)).toEqual(texts.map(({ b }) => b));
    expect(names.map(({ a, c }) => ({ a: blobs.readText(a), c: blobs.readText(c) }))).toEqual(
      texts.map(({ a, c }) => ({ a, c })),
    );
    expect(stored(directory.path).length).toBeLessThan(texts.length / 2);
    expect(readdirSync(join(directory.path, 'unfinished'))).toEqual([]);
  });

  it('is written while the event loop goes on', async () => {
    using directory = temporaryDirectory();
    const order: string[] = [];
    const writing = new Blobs(directory.path).writeAll({ text: 'x'.repeat(100_000) }).then(() => order.push('written'));
    setImmediate(() => order.push('turned'));
    await writing;
    expect(order).toEqual(['turned', 'written']);
  });

  it('that cannot be written is told to all who wait for its file, and to nobody after', async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, 'unfinished'), 'in the way');
    const blobs = new Blobs(directory.path);
    const failed = await Promise.allSettled(['one', 'two'].map((text) => blobs.writeAll({ text })));
    const inTheWay = { status: 'rejected', reason: { code: 'EEXIST' } };
    expect(failed).toMatchObject([inTheWay, inTheWay]);
    blobs.sweep();
    expect(await blobs.writeAll({ text: null })).toEqual({ text: null });
    const { text } = await blobs.writeAll({ text: 'three' });
    expect(blobs.readText(text)).toBe('three');
  });

  it('is missed, not invented, when it is gone, damaged or asked for by a wrong name', async () => {
    using directory = temporaryDirectory();
    const blobs = new Blobs(directory.path);
    expect(() => blobs.read('0'.repeat(64))).toThrow(/no stored text/);
    expect(() => blobs.read('../../etc/passwd')).toThrow(/not the name/);
    expect(() => blobs.read(`${'0'.repeat(64)}:0-9:0-9`)).toThrow(/no stored text/);
    const [digest, other] = [blobs.write('one'), blobs.write('two')];
    const file = (name: string) => join(directory.path, name.slice(0, 2), `${name.slice(2)}.gz`);
    writeFileSync(file(digest), Buffer.from(new Blobs(directory.path).read(other)));
    expect(() => blobs.read(digest)).toThrow();
    const { text } = await blobs.writeAll({ text: 'three' });
    expect(() => blobs.read(text.replace(/:.*/, ':0-9:0-5'))).toThrow(/damaged/);
    const [shared] = stored(directory.path).filter((path) => path.endsWith('.texts'));
    writeFileSync(shared!, Buffer.concat([readFileSync(shared!), Buffer.from([0])]));
    expect(() => blobs.read(text)).toThrow(/damaged/);
  });

  it('that was half written in a crash is swept away', () => {
    using directory = temporaryDirectory();
    writeFiles(directory.path, { 'unfinished/half': 'x' });
    new Blobs(directory.path).sweep();
    expect(existsSync(join(directory.path, 'unfinished'))).toBe(false);
  });
});

function stored(folder: string): string[] {
  return globSync('??/*', { cwd: folder }).map((path) => join(folder, path));
}
