import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openArchive } from '#archive/archive.ts';
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
    expect(plans).toHaveLength(13);
    expect(plans.filter((plan) => /SCAN/.test(plan) && !/_open/.test(plan))).toEqual([]);
    expect(plans[1]).toMatch(/\(agent_id=\?\)/);
    expect(plans[3]).toMatch(/\(parent_id=\? AND ordinal>\?\)/);
    expect([0, 2, 3, 4, 5, 6, 7].filter((inOrder) => plans[inOrder]?.includes('TEMP B-TREE'))).toEqual([]);
  });
});

function nulls(sql: string): null[] {
  return Array(sql.split('?').length - 1).fill(null);
}
