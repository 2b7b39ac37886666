import { createHash } from 'node:crypto';
import type { AgentId, CallRole, Lease } from '#archive/schema.ts';
import { RunSpec } from '#archive/schema.ts';
import { applyPatch } from '#benchmarks/patch.ts';
import type { TaskFile } from '#benchmarks/schema.ts';
import { createProcess } from '#sandbox/process.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { packTar } from '#sandbox/tar.ts';
import { propose } from '#services/proposer/propose.ts';
import type { ProposalJob, Staged } from '#services/worker/control-client.ts';
import { sumTask, textFiles } from '#test/evaluator/builders.ts';

/**
 * An agent without a model. Asked to add a line to NOTES.md it does; asked for another improvement it runs the improvement's
 * text as JavaScript in its workspace; else it solves `sumTask`.
 */
export const obedientAgent: Record<string, string> = {
  'agent.json': JSON.stringify({ name: 'obedient', command: ['node', 'main.mjs'], test: ['node', 'check.mjs'] }),
  'check.mjs': "import './skill.mjs';\nconsole.log('1 test passed');\n",
  'skill.mjs': "export const fixed = 'export const add = (a, b) => a + b;';\n",
  'main.mjs': `import * as fs from 'node:fs';
import { fixed } from './skill.mjs';
if (process.argv.includes('--check')) {
  console.log(JSON.stringify({ ok: true, name: 'obedient' }));
} else {
  const { instruction } = JSON.parse(fs.readFileSync(process.env.CLADE_TASK, 'utf8'));
  const [first, , improvement] = instruction.split('\\n');
  console.log('asked:', first);
  if (first.endsWith('NOTES.md')) fs.appendFileSync('NOTES.md', /^- Self-edit.*$/m.exec(instruction)[0] + '\\n');
  else if (first.startsWith('Improve')) await new (async () => {}).constructor('fs', improvement)(fs);
  else fs.writeFileSync('sum.mjs', fixed + '\\n');
}
`,
};

/** What the improvement is, as code that the obedient agent runs in the source of its parent. */
export interface Attempt {
  improvement?: string;
  /** The diagnosis model's whole answer, instead of one with `improvement`. */
  answer?: string;
  model?: (role: CallRole, request: Request) => Promise<Response>;
  /** What control says, instead of applying the patch. */
  stage?: (patch: string) => Promise<Staged>;
  /** Trees that the run already has. */
  known?: Set<string>;
  job?: Partial<ProposalJob>;
  parent?: Record<string, string>;
  editor?: Record<string, string>;
  driver?: SandboxDriver;
  signal?: AbortSignal;
}

/** Makes a proposal with control stood in for by a map of trees. */
export async function attempt({ parent = obedientAgent, editor = parent, known = new Set(), ...options }: Attempt) {
  const trees = new Map<string, TaskFile[]>();
  const store = (files: TaskFile[]) => {
    const tree = treeOf(files);
    trees.set(tree, files);
    return tree;
  };
  const parentTree = store(textFiles(parent));
  const editorTree = store(textFiles(editor));
  const answer =
    options.answer ?? JSON.stringify({ title: 'A better agent', improvement: options.improvement || 'return;' });
  const progress: string[] = [];
  const result = await propose(proposalJob(parentTree, editorTree, options.job), {
    driver: options.driver ?? createProcess(),
    source: async (tree) => packTar(trees.get(tree) ?? []),
    stage: options.stage ?? (async (patch) => stage(trees.get(parentTree) ?? [], patch, known, store)),
    model: options.model ?? (async () => completion(answer)),
    report: (stage, detail) => progress.push(`${stage} ${detail}`),
    signal: options.signal ?? new AbortController().signal,
  });
  return { result, progress, child: result.tree === null ? null : (trees.get(result.tree) ?? null) };
}

/** A chat completion with this text. */
export function completion(content: string | null): Response {
  return Response.json({ choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }] });
}

function stage(parent: TaskFile[], patch: string, known: Set<string>, store: (files: TaskFile[]) => string): Staged {
  try {
    const tree = store(applyPatch(parent, patch));
    return known.has(tree) ? { rejected: 'duplicate', detail: 'An agent of this run has the same source.' } : { tree };
  } catch (error) {
    return { rejected: 'does-not-apply', detail: String(error) };
  }
}

export function treeOf(files: readonly TaskFile[]): string {
  const hash = createHash('sha1');
  for (const { path, bytes } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${path}\0`).update(bytes);
  return hash.digest('hex');
}

function proposalJob(parentTree: string, editorTree: string, change: Partial<ProposalJob> = {}): ProposalJob {
  const id: AgentId = 'rk7m2pq-a1';
  const lease: Lease = { jobId: 'rk7m2pq-p1', epoch: 1 };
  const limits = { trialSeconds: 20, proposalSeconds: 20 };
  return {
    kind: 'proposal',
    lease,
    leaseMs: 60_000,
    runId: 'rk7m2pq',
    spec: RunSpec.parse({ limits }),
    owner: 'proposer-tests',
    parent: { id, commit: parentTree, tree: parentTree },
    editor: { id, tree: editorTree },
    evidence: { kind: 'none', trialIds: [] },
    past: [],
    tried: [],
    smokeTask: sumTask(),
    ...change,
  };
}
