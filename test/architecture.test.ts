import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Who may import whom, by folder or single file; the longest matching folder decides. What falls under the same line is one house. */
const mayImport: Record<string, string[]> = {
  sandbox: [],
  benchmarks: [],
  archive: [],
  'archive/seed': [],
  'services/queue': ['archive', 'services'],
  'services/gateway': ['archive', 'services'],
  'services/gateway/rehearsal': ['benchmarks'],
  'services/evaluator': [
    'benchmarks',
    'sandbox',
    'archive',
    'services/worker',
    'services/scheduler/policies',
    'services/gateway/infra-mark.ts',
  ],
  'services/proposer': [
    'benchmarks',
    'sandbox',
    'archive',
    'services/evaluator',
    'services/worker',
    'services/scheduler/policies',
  ],
  'services/worker': [
    'benchmarks',
    'sandbox',
    'archive',
    'services',
    'services/queue',
    'services/evaluator',
    'services/proposer',
    'services/gateway/infra-mark.ts',
  ],
  'services/metrics': ['archive', 'services/api/version.ts'],
  'services/scheduler/policies': ['archive'],
  'services/scheduler': [
    'benchmarks',
    'sandbox',
    'archive',
    'services',
    'services/queue',
    'services/gateway',
    'services/proposer',
    'services/worker',
    'services/scheduler/policies',
  ],
  'services/api': [
    'benchmarks',
    'sandbox',
    'archive',
    'services',
    'services/scheduler',
    'services/worker',
    'services/gateway',
    'services/metrics',
  ],
  'services/cli': [
    'benchmarks',
    'sandbox',
    'archive',
    'services',
    'services/scheduler',
    'services/worker',
    'services/queue',
    'services/api',
    'services/evaluator',
    'services/gateway',
  ],
  services: [
    'benchmarks',
    'sandbox',
    'archive',
    'services/cli',
    'services/api',
    'services/queue',
    'services/gateway',
    'services/gateway/rehearsal',
    'services/scheduler',
    'services/metrics',
    'services/worker',
  ],
};

/** Each door to the outside world, and the only files that may open it. */
const doors: Record<string, RegExp> = {
  'better-sqlite3': /^archive\//,
  'simple-git': /^archive\/repository/,
  dockerode: /^sandbox\/docker/,
  bullmq: /^services\/queue\//,
  ioredis: /^services\/queue\//,
  openai: /^services\/gateway\//,
  'prom-client': /^services\/metrics\//,
  fastify: /^services\/api\//,
  undici: /^services\/(gateway\/|worker\/control-door\.ts)/,
  commander: /^services\/(cli\/|main\.ts)/,
};

/** Pure files: data in, data out. No `node:`, no clock, no `Math.random`, no waiting. */
const pure = [
  'benchmarks/grade.ts',
  'benchmarks/{reward,exit-marker,reversed-patch}.ts',
  'benchmarks/harbor/{finding,network,compose,toml,task-config,unsupported}.ts',
  'benchmarks/task.ts',
  'benchmarks/canary.ts',
  // Not javascript.ts, which writes programs that end their process.
  'benchmarks/canaries/{addition,compiled,python,scripts,words}.ts',
  'benchmarks/reports/*.ts',
  'benchmarks/swe-bench/**/*.ts',
  'archive/lineage.ts',
  'sandbox/output.ts',
  'sandbox/egress/policy.ts',
  'services/{score,paired,task-stats,resource-class}.ts',
  'services/worker/gpus-{listing,leftovers}.ts',
  'services/scheduler/{standing,budget,decide,rng,run-suite,split}.ts',
  'services/scheduler/policies/*.ts',
  'services/gateway/{prices,infra-mark,likeness,readings}.ts',
  'services/proposer/{evidence,prompts}.ts',
  'services/worker/wire-task.ts',
  'services/evaluator/{firewall,patch-sections,audit,base-repository,history-seal,official-report,task-limits}.ts',
];

const sources = globSync(['archive/**/*.ts', 'benchmarks/**/*.ts', 'sandbox/**/*.ts', 'services/**/*.ts'], {
  cwd: root,
})
  .filter((file) => !file.startsWith('benchmarks/suites/'))
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));

describe('the house', () => {
  it('lets each folder import only what it may', () => {
    const wrong = sources.flatMap(({ file, text }) =>
      ownImports(text).flatMap((specifier) => (isAllowed(file, specifier) ? [] : [`${file} imports ${specifier}`])),
    );
    expect(wrong).toEqual([]);
  });

  it('has no import that climbs with ../', () => {
    expect(
      sources.filter(({ text }) => ownImports(text).some((one) => one.startsWith('..'))).map(({ file }) => file),
    ).toEqual([]);
  });

  it('opens each door to the outside world in one place', () => {
    const wrong = sources.flatMap(({ file, text }) =>
      Object.entries(doors)
        .filter(([name, allowed]) => valueImports(text).includes(name) && !allowed.test(file))
        .map(([name]) => `${file} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps pure files free of clocks, chance, waiting and node', () => {
    const files = new Set(pure.flatMap((pattern) => globSync(pattern, { cwd: root })));
    expect(files.size).toBeGreaterThanOrEqual(15);
    const impure = /\bDate\.now\b|new Date\(\)|Math\.random|\basync\b|\bawait\b|process\.|from 'node:/;
    const wrong = sources
      .filter(({ file, text }) => files.has(file) && impure.test(withoutComments(text)))
      .map(({ file }) => file);
    expect(wrong).toEqual([]);
  });

  it('reads the environment in one file only', () => {
    const service = sources.filter(({ file }) => !isAgentSource(file));
    const readers = service.filter(({ text }) => /process\.env\b/.test(withoutComments(text))).map(({ file }) => file);
    expect(readers).toEqual(['services/config.ts']);
  });

  it('gives every folder a short README', () => {
    const folders = new Set(sources.map(({ file }) => dirname(file)));
    const wrong = [...folders, 'test'].filter((folder) => {
      const [readme] = globSync('README.md', { cwd: join(root, folder) });
      return readme === undefined || readFileSync(join(root, folder, readme), 'utf8').split('\n').length > 31;
    });
    expect(wrong).toEqual([]);
  });
});

/** Agents are programs of their own, and so is what the rehearsal writes into them. */
function isAgentSource(file: string): boolean {
  return file.startsWith('archive/seed/') || file.startsWith('services/gateway/rehearsal/bank/');
}

/** Import specifiers of our own files: `./x.ts`, `#archive/x.ts`. */
function ownImports(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?'((?:\.|#)[^']+)'/g)].map(([, specifier]) => specifier!);
}

function valueImports(text: string): string[] {
  const statements = text.matchAll(/^import (?!type)[^;]*?from '([^']+)'/gm);
  return [...statements].map(([, specifier]) => specifier!).filter((name) => !builtinModules.includes(name));
}

function isAllowed(file: string, specifier: string): boolean {
  const from = dirname(file);
  const target = specifier.startsWith('#') ? specifier.slice(1) : normalize(join(from, specifier));
  const to = dirname(target);
  if (ruleFor(to) === ruleFor(from)) return true;
  return (mayImport[ruleFor(from)] ?? []).some((allowed) => [target, to, ruleFor(to)].includes(allowed));
}

function ruleFor(folder: string): string {
  for (let at = folder; at !== '.'; at = dirname(at)) if (at in mayImport) return at;
  return folder;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}
