import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { Database } from '#archive/database.ts';
import { DiskFull, diskFullOr } from '#archive/errors.ts';
import { beginTrial, createRun, temporaryDirectory } from './builders.ts';

describe('a full disk', () => {
  it('is told as such, and undoes the transaction that met it and no other', () => {
    using directory = temporaryDirectory();
    const db = new Database(join(directory.path, 'archive.sqlite'), { readOnly: false });
    const insert = (name: string) => db.run('INSERT INTO home (owner_id) VALUES (?)', name);
    db.write(() => insert('before'));
    db.pragma(`max_page_count = ${Number(db.pragma('page_count')) + 2}`);
    const fill = () => db.write(() => Array.from({ length: 100 }, () => insert('x'.repeat(1000))));
    expect(fill).toThrow(DiskFull);
    expect(fill).toThrow(/disk is full: make room/);
    expect(db.all('SELECT owner_id FROM home')).toEqual([{ owner_id: 'before' }]);
    db.pragma('max_page_count = 100000');
    fill();
    expect(db.all('SELECT owner_id FROM home')).toHaveLength(101);
    db.close();
  });

  it.each(['ENOSPC: no space left on device, write', 'fatal: cannot write: No space left on device', 'EDQUOT: quota'])(
    'is recognised in %j',
    (text) => {
      expect(diskFullOr(new Error(text))).toBeInstanceOf(DiskFull);
      expect(diskFullOr(new Error('ENOENT'))).not.toBeInstanceOf(DiskFull);
    },
  );
});

describe('a write', () => {
  it('outside of a transaction is refused', () => {
    using directory = temporaryDirectory();
    const db = new Database(join(directory.path, 'archive.sqlite'), { readOnly: false });
    expect(() => db.run('DELETE FROM home')).toThrow(/outside of a transaction/);
    db.close();
  });
});

describe('writes asked for together', () => {
  it('are one transaction, and the one that fails is undone alone', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    await Promise.resolve();
    let transactions = 0;
    archive.events.onAppend(() => {
      transactions += 1;
    });
    const told = (code: string) => archive.events.notice(run.id, 'info', code, '', 1);
    const ends = await Promise.allSettled([
      archive.sharedTransaction(() => told('one')),
      archive.sharedTransaction(() => {
        told('undone');
        throw new Error('wrong');
      }),
      archive.sharedTransaction(() => {
        told('three');
        return 3;
      }),
    ]);
    expect(ends).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected' }, { value: 3 }]);
    expect(transactions).toBe(1);
    await archive.sharedTransaction(() => told('later'));
    expect(transactions).toBe(2);
    expect(codes(archive)).toEqual(['one', 'three', 'later']);
  });

  it('all fail, and none is stored, when the disk is full for one', async () => {
    using directory = temporaryDirectory();
    const db = new Database(join(directory.path, 'archive.sqlite'), { readOnly: false });
    const insert = (name: string) => db.run('INSERT INTO home (owner_id) VALUES (?)', name);
    db.pragma(`max_page_count = ${Number(db.pragma('page_count')) + 2}`);
    const ends = await Promise.allSettled([
      db.writeShared(() => insert('before')),
      db.writeShared(() => Array.from({ length: 100 }, () => insert('x'.repeat(1000)))),
      db.writeShared(() => insert('after')),
    ]);
    const stored = db.all<{ owner_id: string }>('SELECT owner_id FROM home').map(({ owner_id }) => owner_id);
    db.close();
    const promised = ['before', 'filling', 'after'].filter((_, i) => ends[i]?.status === 'fulfilled');
    expect(ends[1]).toMatchObject({ reason: expect.any(DiskFull) });
    expect(stored).toEqual(promised);
  });

  it('fail when the archive is closed before they are made', async () => {
    using directory = temporaryDirectory();
    const archive = await openArchive(directory.path);
    const late = archive.sharedTransaction(() => 1);
    await Promise.all([archive[Symbol.asyncDispose](), expect(late).rejects.toThrow(/not open/)]);
  });
});

describe('a snapshot', () => {
  it('shows one moment, whatever others write meanwhile', async () => {
    using directory = temporaryDirectory();
    await using owner = await openArchive(directory.path);
    const run = createRun(owner);
    await using reader = await openArchive(directory.path, { readOnly: true });
    const tell = (code: string) => owner.events.notice(run.id, 'info', code, '', 1);
    const seen = reader.snapshot(() => {
      const before = codes(reader);
      tell('meanwhile');
      return [before, codes(reader)];
    });
    expect(seen).toEqual([[], []]);
    expect(codes(reader)).toEqual(['meanwhile']);
  });

  it('may only read', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    expect(() => archive.snapshot(() => archive.events.notice(run.id, 'info', 'no', '', 1))).toThrow(/may only read/);
    expect(codes(archive)).toEqual([]);
    expect(archive.transaction(() => archive.snapshot(() => archive.runs.list()))).toHaveLength(1);
  });
});

describe('the queries of long runs', () => {
  it('go by an index and never through a whole table', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const { id } = createRun(archive);
    const lease = beginTrial(archive, { agent: `${id}-a1` });
    const asked = vi.spyOn(Database.prototype, 'all');
    archive.agents.lineage(id);
    archive.trials.list(id, { agent: `${id}-a1`, task: 't0' });
    archive.trials.list(id, { afterOrdinal: 5, limit: 5 });
    archive.proposals.list(id, { parent: `${id}-a1` });
    archive.proposals.list(id);
    archive.decisions.list(id);
    archive.events.after({ seq: 5 });
    archive.events.after({ runId: id, seq: 5 });
    archive.jobs.ready(id, 5);
    archive.jobs.expired(5);
    archive.jobs.open(id);
    archive.ledger.calls(lease.jobId);
    archive.ledger.reconcile(5);
    archive.ledger.spend(id);
    const queries = asked.mock.calls.map(([sql]) => sql);
    asked.mockRestore();
    const db = new Database(join(directory.path, 'archive.sqlite'), { readOnly: true });
    const plans = queries.map((sql) =>
      db
        .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...nulls(sql))
        .map(({ detail }) => detail)
        .join('; '),
    );
    db.close();
    expect(plans).toHaveLength(14);
    expect(plans.filter((plan) => /SCAN/.test(plan) && !/_open/.test(plan))).toEqual([]);
    expect(plans[1]).toMatch(/\(agent_id=\?\)/);
    expect(plans[3]).toMatch(/\(parent_id=\? AND ordinal>\?\)/);
    expect([0, 2, 3, 4, 5, 6, 7, 13].filter((inOrder) => plans[inOrder]?.includes('TEMP B-TREE'))).toEqual([]);
  });
});

function codes(archive: Archive): string[] {
  return archive.events.after({ seq: 0 }).flatMap(({ data }) => (data.kind === 'notice' ? [data.code] : []));
}

function nulls(sql: string): null[] {
  return Array(sql.split('?').length - 1).fill(null);
}
