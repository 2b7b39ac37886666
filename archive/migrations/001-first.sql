-- The archive, version 1. Times are milliseconds since the epoch, money is micro-dollars (uusd).
-- JSON columns hold shapes of schema.ts.

-- One row: the random id of this data directory.
CREATE TABLE home (
  owner_id TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  spec TEXT NOT NULL,
  prices TEXT NOT NULL,
  suite_digest TEXT NOT NULL,
  -- Resource classes of its jobs, where they are not 'cpu'.
  resources TEXT NOT NULL DEFAULT '{}',
  state TEXT NOT NULL,
  reason TEXT,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  budget_uusd INTEGER,
  spent_uusd INTEGER NOT NULL DEFAULT 0,
  reserved_uusd INTEGER NOT NULL DEFAULT 0,
  decisions INTEGER NOT NULL DEFAULT 0,
  agents INTEGER NOT NULL DEFAULT 0,
  proposals INTEGER NOT NULL DEFAULT 0,
  trials INTEGER NOT NULL DEFAULT 0,
  trials_settled INTEGER NOT NULL DEFAULT 0,
  CHECK (reserved_uusd >= 0),
  CHECK (budget_uusd IS NULL OR spent_uusd + reserved_uusd <= budget_uusd)
) STRICT;

-- The runs that were begun under an Idempotency-Key. Digests are SHA-256 in hex: of the key, and of the spec sent with it.
CREATE TABLE run_keys (
  key_digest TEXT PRIMARY KEY,
  spec_digest TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  ordinal INTEGER NOT NULL,
  parent_id TEXT REFERENCES agents (id),
  proposal_id TEXT UNIQUE,
  -- Of an agent adopted from another run to be measured.
  origin_id TEXT REFERENCES agents (id),
  commit_id TEXT NOT NULL,
  tree_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  summary TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  n INTEGER NOT NULL DEFAULT 0,
  s REAL NOT NULL DEFAULT 0,
  clade_n INTEGER NOT NULL DEFAULT 0,
  clade_s REAL NOT NULL DEFAULT 0,
  children INTEGER NOT NULL DEFAULT 0,
  UNIQUE (run_id, ordinal),
  UNIQUE (run_id, tree_id)
) STRICT;

CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  state TEXT NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  lease_until INTEGER,
  not_before INTEGER NOT NULL DEFAULT 0,
  infra_failures INTEGER NOT NULL DEFAULT 0,
  resource_class TEXT NOT NULL DEFAULT 'cpu',
  budget_uusd INTEGER,
  spent_uusd INTEGER NOT NULL DEFAULT 0,
  reserved_uusd INTEGER NOT NULL DEFAULT 0,
  CHECK (reserved_uusd >= 0),
  CHECK (budget_uusd IS NULL OR spent_uusd + reserved_uusd <= budget_uusd)
) STRICT;
CREATE INDEX jobs_open ON jobs (state) WHERE state IN ('ready', 'leased');

-- Where a job came back from without a result, and why. Forgotten when an operator resumes the run.
CREATE TABLE job_failures (
  id INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL REFERENCES jobs (id),
  worker TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX job_failures_by_job ON job_failures (job_id);

-- Every worker that joined and was not forgotten since. What it does at the moment is not stored.
CREATE TABLE workers (
  name TEXT PRIMARY KEY,
  instance TEXT NOT NULL,
  description TEXT NOT NULL,
  desired TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE proposals (
  id TEXT PRIMARY KEY REFERENCES jobs (id),
  run_id TEXT NOT NULL REFERENCES runs (id),
  ordinal INTEGER NOT NULL,
  parent_id TEXT NOT NULL REFERENCES agents (id),
  editor_id TEXT NOT NULL REFERENCES agents (id),
  evidence TEXT NOT NULL,
  outcome TEXT,
  reason TEXT,
  agent_id TEXT REFERENCES agents (id),
  title TEXT,
  diagnosis TEXT,
  steps TEXT NOT NULL DEFAULT '[]',
  patch_blob TEXT,
  transcript_blob TEXT,
  spent_uusd INTEGER NOT NULL DEFAULT 0,
  begun_at INTEGER NOT NULL,
  settled_at INTEGER,
  UNIQUE (run_id, ordinal)
) STRICT;
CREATE INDEX proposals_by_parent ON proposals (parent_id, ordinal);

CREATE TABLE trials (
  id TEXT PRIMARY KEY REFERENCES jobs (id),
  run_id TEXT NOT NULL REFERENCES runs (id),
  ordinal INTEGER NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  task TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  outcome TEXT,
  y REAL CHECK (y IS NULL OR (y >= 0 AND y <= 1)),
  reason TEXT,
  patch_blob TEXT,
  transcript_blob TEXT,
  grader_log_blob TEXT,
  grading TEXT,
  spent_uusd INTEGER NOT NULL DEFAULT 0,
  solve_ms INTEGER,
  grade_ms INTEGER,
  begun_at INTEGER NOT NULL,
  settled_at INTEGER,
  UNIQUE (run_id, ordinal),
  UNIQUE (agent_id, task, attempt)
) STRICT;

CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  job_id TEXT NOT NULL REFERENCES jobs (id),
  epoch INTEGER NOT NULL,
  role TEXT NOT NULL,
  model TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  occurrence INTEGER NOT NULL,
  state TEXT NOT NULL,
  reserved_uusd INTEGER NOT NULL,
  spent_uusd INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER,
  output_tokens INTEGER,
  latency_ms INTEGER,
  replayed INTEGER NOT NULL DEFAULT 0,
  reply_blob TEXT,
  -- What the worker calls it: asked again under this name, it is the same call.
  name TEXT,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_by_job ON calls (job_id, request_digest, occurrence);
CREATE INDEX calls_open ON calls (state) WHERE state IN ('reserved', 'sent');

-- Sums over the calls that were settled or are ambiguous, replayed ones left out, kept in the transaction that ends a call.
CREATE TABLE spend (
  run_id TEXT NOT NULL REFERENCES runs (id),
  role TEXT NOT NULL,
  model TEXT NOT NULL,
  calls INTEGER NOT NULL,
  spent_uusd INTEGER NOT NULL,
  ambiguous_uusd INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  PRIMARY KEY (run_id, role, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
  run_id TEXT NOT NULL REFERENCES runs (id),
  ordinal INTEGER NOT NULL,
  as_of_seq INTEGER NOT NULL,
  now_ms INTEGER NOT NULL,
  action TEXT NOT NULL,
  candidates INTEGER NOT NULL,
  top TEXT NOT NULL,
  digest TEXT NOT NULL,
  duration_us INTEGER NOT NULL,
  PRIMARY KEY (run_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  at INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run_id, seq);
