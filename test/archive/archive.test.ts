import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { Database } from '#archive/database.ts';
import { ArchiveLocked, ArchiveUnwritable, ArchiveVersion, NotFound } from '#archive/errors.ts';
import { createRun, temporaryDirectory } from './builders.ts';

const settings = { journal_mode: 'wal', synchronous: 2, foreign_keys: 1, busy_timeout: 5000, user_version: 1 };

describe('opening an archive', () => {
  it('keeps the settings that make commits durable, also when opened again', async () => {
    using directory = temporaryDirectory();
    for (const _ of [1, 2]) {
      await (await openArchive(directory.path))[Symbol.asyncDispose]();
      const db = new Database(join(directory.path, 'archive.sqlite'), { readOnly: false });
      const actual = Object.fromEntries(Object.keys(settings).map((name) => [name, db.pragma(name)]));
      db.close();
      expect(actual).toEqual(settings);
    }
  });

  it('keeps what was written, and the id of the directory', async () => {
    using directory = temporaryDirectory();
    const first = await openArchive(directory.path);
    const run = createRun(first);
    const ownerId = first.ownerId;
    await first[Symbol.asyncDispose]();
    await using second = await openArchive(directory.path);
    expect(second.ownerId).toBe(ownerId);
    expect(second.runs.get(run.id)).toEqual(run);
    expect(second.agents.lineage(run.id)).toHaveLength(1);
  });

  it('refuses a second writer and names the first and where it answers', async () => {
    using directory = temporaryDirectory();
    await using owner = await openArchive(directory.path);
    owner.announce('http://127.0.0.1:4711');
    const refused = await openArchive(directory.path).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ArchiveLocked);
    expect(refused).toMatchObject({ pid: process.pid, url: 'http://127.0.0.1:4711' });
    expect(String(refused)).toContain(`process ${process.pid}`);
  });

  it('lets others read while it is in use', async () => {
    using directory = temporaryDirectory();
    await using owner = await openArchive(directory.path);
    await using reader = await openArchive(directory.path, { readOnly: true });
    const run = createRun(owner);
    expect(reader.runs.list()).toEqual([run]);
    expect(() => createRun(reader)).toThrow();
    expect(owner.runs.list()).toHaveLength(1);
  });

  it('is free again as soon as its owner is killed, and says nothing of an owner that is gone', async () => {
    using directory = temporaryDirectory();
    const child = fork(join(import.meta.dirname, 'owner-process.ts'), [directory.path], { stdio: 'ignore' });
    await once(child, 'message');
    await expect(openArchive(directory.path)).rejects.toMatchObject({ name: 'ArchiveLocked', pid: child.pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readFileSync(join(directory.path, 'owner.json'), 'utf8')).toContain(String(child.pid));
    await using archive = await openArchive(directory.path);
    expect(archive.runs.list()).toEqual([]);
  });

  it('refuses the database of a newer Clade and says which it is', async () => {
    using directory = temporaryDirectory();
    await (await openArchive(directory.path))[Symbol.asyncDispose]();
    const sqlite = new Sqlite(join(directory.path, 'archive.sqlite'));
    sqlite.pragma('user_version = 99');
    sqlite.close();
    for (const readOnly of [false, true]) {
      const refused = openArchive(directory.path, { readOnly });
      await expect(refused).rejects.toBeInstanceOf(ArchiveVersion);
      await expect(refused).rejects.toThrow(/version 99.*newer|newer.*version 99/);
    }
  });

  it('refuses a file that is no archive, and leaves it as it is', async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'archive.sqlite');
    writeFileSync(file, 'Dear diary, '.repeat(100));
    await expect(openArchive(directory.path)).rejects.toBeInstanceOf(ArchiveVersion);
    expect(readFileSync(file, 'utf8')).toBe('Dear diary, '.repeat(100));
    writeFileSync(file, '');
    const other = new Sqlite(file);
    other.exec('CREATE TABLE recipes (name TEXT)');
    other.close();
    await expect(openArchive(directory.path)).rejects.toThrow(/not a Clade archive/);
  });

  it('says when there is none, or when it cannot be made', async () => {
    using directory = temporaryDirectory();
    await expect(openArchive(join(directory.path, 'none'), { readOnly: true })).rejects.toBeInstanceOf(NotFound);
    await expect(openArchive(join(directory.path, 'none'), { create: false })).rejects.toBeInstanceOf(NotFound);
    writeFileSync(join(directory.path, 'file'), '');
    await expect(openArchive(join(directory.path, 'file', 'home'))).rejects.toBeInstanceOf(ArchiveUnwritable);
    mkdirSync(join(directory.path, 'odd', 'archive.sqlite'), { recursive: true });
    await expect(openArchive(join(directory.path, 'odd'))).rejects.toBeInstanceOf(ArchiveUnwritable);
  });

  it('does not stay locked when opening fails', async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, 'archive.sqlite'), 'x'.repeat(5000));
    await expect(openArchive(directory.path)).rejects.toBeInstanceOf(ArchiveVersion);
    writeFileSync(join(directory.path, 'archive.sqlite'), '');
    await using archive = await openArchive(directory.path);
    expect(archive.runs.list()).toEqual([]);
  });
});
