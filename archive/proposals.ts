import type { Database } from './database.ts';
import type { Events } from './events.ts';
import type { Jobs } from './jobs.ts';
import type { AgentId, Lease, Proposal, ProposalId, ProposalOutcome, ProposalResult, RunId } from './schema.ts';

/** Names of the stored texts a proposal left behind. */
export interface ProposalBlobs {
  patch: string | null;
  transcript: string;
}

/** A viable child, committed and ready to join. */
export interface Child {
  commit: string;
  tree: string;
  summary: string;
}

export class Proposals {
  readonly #db: Database;
  readonly #events: Events;
  readonly #jobs: Jobs;

  constructor(db: Database, events: Events, jobs: Jobs) {
    this.#db = db;
    this.#events = events;
    this.#jobs = jobs;
  }

  get(id: ProposalId): Proposal | null {
    const row = this.#db.get<ProposalRow>('SELECT * FROM proposals WHERE id = ?', id);
    return row ? toProposal(row) : null;
  }

  /** Proposals in the order in which they were begun; page on with the last one's ordinal. */
  list(runId: RunId, given: { parent?: AgentId; afterOrdinal?: number; limit?: number } = {}): Proposal[] {
    const { parent = null, afterOrdinal = 0, limit = -1 } = given;
    if (parent !== null) {
      const sql =
        'SELECT * FROM proposals WHERE parent_id = ? AND +run_id = ? AND ordinal > ? ORDER BY ordinal LIMIT ?';
      return this.#db.all<ProposalRow>(sql, parent, runId, afterOrdinal, limit).map(toProposal);
    }
    const sql = 'SELECT * FROM proposals WHERE run_id = ? AND ordinal > ? ORDER BY ordinal LIMIT ?';
    return this.#db.all<ProposalRow>(sql, runId, afterOrdinal, limit).map(toProposal);
  }

  /**
   * Stores how a proposal ended. `child` is given exactly when the result is `viable`: it joins the lineage, or, when an
   * agent with the same tree joined meanwhile, the proposal settles as `duplicate`. False: the lease was stale and nothing changed.
   */
  settle(lease: Lease, result: ProposalResult, blobs: ProposalBlobs, child: Child | null, nowMs: number): boolean {
    if ((result.outcome === 'viable') !== (child !== null)) {
      throw new Error(`${lease.jobId} ended as ${result.outcome}: a child is committed exactly when it is viable.`);
    }
    return this.#db.write(() => {
      const job = this.#jobs.finish(lease, 'done');
      if (!job) return false;
      const proposal = this.#db.get<BegunRow>('SELECT id, parent_id FROM proposals WHERE id = ?', lease.jobId);
      if (!proposal) throw new Error(`${lease.jobId} is not a proposal.`);
      const twin = child && this.#twin(job.runId, child.tree);
      const agent = child && !twin ? this.#join(job.runId, proposal, child, nowMs) : null;
      const ending = ended(result, agent, twin);
      this.#store(proposal.id, result, { ...ending, blobs, spentUusd: job.spentUusd }, nowMs);
      const settled = { proposal: proposal.id, parent: proposal.parent_id, outcome: ending.outcome, agent };
      this.#events.append(job.runId, { kind: 'proposal-settled', ...settled, spentUusd: job.spentUusd }, nowMs);
      return true;
    });
  }

  #twin(runId: RunId, tree: string): AgentId | null {
    return (
      this.#db.get<{ id: AgentId }>('SELECT id FROM agents WHERE run_id = ? AND tree_id = ?', runId, tree)?.id ?? null
    );
  }

  #join(runId: RunId, proposal: BegunRow, child: Child, nowMs: number): AgentId {
    const counted = this.#db.get<{ agents: number }>(
      'UPDATE runs SET agents = agents + 1 WHERE id = ? RETURNING agents',
      runId,
    );
    const parent = this.#db.get<{ generation: number }>(
      'UPDATE agents SET children = children + 1 WHERE id = ? RETURNING generation',
      proposal.parent_id,
    );
    if (!counted || !parent) throw new Error(`${proposal.id} names a run or a parent that does not exist.`);
    const id: AgentId = `${runId}-a${counted.agents}`;
    this.#db.run(
      `INSERT INTO agents (id, run_id, ordinal, parent_id, proposal_id, commit_id, tree_id, generation, summary, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, runId, counted.agents, proposal.parent_id, proposal.id],
      ...[child.commit, child.tree, parent.generation + 1, child.summary, nowMs],
    );
    const joined = {
      agent: id,
      parent: proposal.parent_id,
      proposal: proposal.id,
      commit: child.commit,
      summary: child.summary,
    };
    this.#events.append(runId, { kind: 'agent-joined', ...joined }, nowMs);
    return id;
  }

  #store(
    id: ProposalId,
    result: ProposalResult,
    ending: Ending & { blobs: ProposalBlobs; spentUusd: number },
    nowMs: number,
  ): void {
    this.#db.run(
      `UPDATE proposals SET outcome = ?, reason = ?, agent_id = ?, title = ?, diagnosis = ?, steps = ?, patch_blob = ?,
         transcript_blob = ?, spent_uusd = ?, settled_at = ? WHERE id = ?`,
      ...[ending.outcome, ending.reason, ending.agent, result.title, result.diagnosis, JSON.stringify(result.steps)],
      ...[ending.blobs.patch, ending.blobs.transcript, ending.spentUusd, nowMs, id],
    );
  }
}

interface Ending {
  outcome: ProposalOutcome;
  reason: string;
  agent: AgentId | null;
}

function ended(result: ProposalResult, agent: AgentId | null, twin: AgentId | null): Ending {
  if (twin) return { outcome: 'duplicate', reason: `the same source as ${twin}`, agent: null };
  return { outcome: result.outcome === 'viable' ? 'joined' : result.outcome, reason: result.reason, agent };
}

interface BegunRow {
  id: ProposalId;
  parent_id: AgentId;
}

interface ProposalRow {
  id: ProposalId;
  run_id: RunId;
  ordinal: number;
  parent_id: AgentId;
  editor_id: AgentId;
  evidence: string;
  outcome: ProposalOutcome | null;
  reason: string | null;
  agent_id: AgentId | null;
  title: string | null;
  diagnosis: string | null;
  steps: string;
  patch_blob: string | null;
  transcript_blob: string | null;
  spent_uusd: number;
  begun_at: number;
  settled_at: number | null;
}

function toProposal(row: ProposalRow): Proposal {
  return {
    id: row.id,
    runId: row.run_id,
    ordinal: row.ordinal,
    parentId: row.parent_id,
    editorId: row.editor_id,
    // Both were written from the parsed shapes.
    evidence: JSON.parse(row.evidence),
    steps: JSON.parse(row.steps),
    outcome: row.outcome,
    reason: row.reason,
    agentId: row.agent_id,
    title: row.title,
    diagnosis: row.diagnosis,
    patchBlob: row.patch_blob,
    transcriptBlob: row.transcript_blob,
    spentUusd: row.spent_uusd,
    begunAt: row.begun_at,
    settledAt: row.settled_at,
  };
}
