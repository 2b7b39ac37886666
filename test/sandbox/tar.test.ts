import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SandboxLimit } from '#sandbox/sandbox.ts';
import type { TarEntry } from '#sandbox/schema.ts';
import { BrokenTar, packTar, readTar } from '#sandbox/tar.ts';

const file = (name: string, content = '', executable = false): TarEntry => ({
  path: name,
  bytes: new TextEncoder().encode(content),
  executable,
});
const names = (entries: TarEntry[]) => entries.map((entry) => entry.path);

/** An archive of the system's own tar, made of what `fill` writes into an empty directory. */
function systemTar(flags: string[], fill: (dir: string) => void): Uint8Array {
  const dir = mkdtempSync(path.join(tmpdir(), 'tar-test-'));
  try {
    fill(dir);
    return execFileSync('tar', ['-c', '-f', '-', ...flags, '-C', dir, '.'], { maxBuffer: 1e8 });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The first header of an archive with another name in it, and a checksum that fits. */
function renamed(tar: Uint8Array, name: string): Uint8Array {
  const changed = Uint8Array.from(tar);
  changed.fill(0, 0, 100);
  changed.set(Buffer.from(name), 0);
  changed.fill(32, 148, 156);
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  changed.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  return changed;
}

describe('a tar archive', () => {
  test('gives back what was packed, whatever it is called and contains', () => {
    const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 });
    const safe = part.filter((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..' && name.isWellFormed());
    const name = fc.array(safe, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    const entry = fc.record({ path: name, bytes: fc.uint8Array({ maxLength: 2000 }), executable: fc.boolean() });
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: (one) => one.path, maxLength: 6 }), (entries) => {
        expect(readTar(packTar(entries))).toEqual(entries);
      }),
    );
  });

  test('is the same whenever it is packed', () => {
    expect(packTar([file('a', 'x')])).toEqual(packTar([file('a', 'x')]));
  });

  test('can be read by the tar of the system', () => {
    const long = `${'directory/'.repeat(20)}ünï\ncode`;
    const dir = mkdtempSync(path.join(tmpdir(), 'tar-test-'));
    try {
      execFileSync('tar', ['-x', '-f', '-', '-C', dir], { input: packTar([file('run', 'x', true), file(long, 'y')]) });
      const listed = execFileSync('find', ['.', '-type', 'f', '-printf', '%P %m\\0'], { cwd: dir }).toString();
      expect(listed.split('\0').sort()).toEqual(['', `${long} 644`, 'run 755'].sort());
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test.each(['gnu', 'pax', 'ustar'])('of the system in %s format can be read', (format) => {
    const deep = 'a-directory-name/'.repeat(8);
    const tar = systemTar([`--format=${format}`, '--hard-dereference'], (dir) => {
      mkdirSync(path.join(dir, deep), { recursive: true });
      writeFileSync(path.join(dir, deep, 'name-'.repeat(12)), 'deep');
      writeFileSync(path.join(dir, 'run'), 'x', { mode: 0o755 });
      symlinkSync('/etc/passwd', path.join(dir, 'link'));
    });
    const entries = readTar(tar).sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(names(entries)).toEqual([deep + 'name-'.repeat(12), 'run']);
    expect(entries.map(({ executable }) => executable)).toEqual([false, true]);
    expect(Buffer.from(entries[0]?.bytes ?? []).toString()).toBe('deep');
  });

  test('hands out no name that leads elsewhere', () => {
    const archive = packTar([file('innocent', 'x')]);
    for (const name of ['/etc/passwd', '../up', 'a/../../up', '..', './']) {
      expect(readTar(renamed(archive, name))).toEqual([]);
    }
    expect(names(readTar(renamed(archive, './a//b/./c')))).toEqual(['a/b/c']);
    for (const name of ['/abs', '../up', 'a//b', '', 'nul\0']) expect(() => packTar([file(name)])).toThrow(BrokenTar);
  });

  test('leaves out names that are not UTF-8', () => {
    const archive = renamed(packTar([file('innocent', 'x')]), 'x');
    archive[0] = 0xff;
    archive.set(renamed(archive, 'x').subarray(148, 156), 148);
    const sum = archive.subarray(0, 512).reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
    archive.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
    expect(readTar(archive)).toEqual([]);
  });

  test('with the same name twice counts the later one', () => {
    expect(readTar(packTar([file('a', 'first'), file('a', 'second')]))).toEqual([file('a', 'second')]);
  });

  test('over the caps is refused', () => {
    const archive = packTar([file('a', '12345'), file('b', '12345')]);
    expect(readTar(archive, { maxBytes: 10, maxEntries: 2 })).toHaveLength(2);
    expect(() => readTar(archive, { maxBytes: 9, maxEntries: 2 })).toThrow(SandboxLimit);
    expect(() => readTar(archive, { maxBytes: 10, maxEntries: 1 })).toThrow(SandboxLimit);
  });

  test('that is cut off or damaged is refused, and nothing worse happens', () => {
    const archive = packTar([file('a', 'x'.repeat(600)), file('ü'.repeat(60), 'y')]);
    for (const length of [0, 1, 511, 512, 600, 1535, archive.length - 1024]) {
      expect(() => readTar(archive.subarray(0, length))).toThrow(BrokenTar);
    }
    fc.assert(
      fc.property(fc.nat(archive.length - 1025), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(archive);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        try {
          for (const entry of readTar(damaged)) expect(entry.path).not.toMatch(/^\/|(^|\/)\.\.(\/|$)/);
        } catch (error) {
          expect(error).toBeInstanceOf(BrokenTar);
        }
      }),
    );
  });
});
