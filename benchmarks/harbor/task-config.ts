import { closest, distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { errorIn, type Finding, warningIn } from './finding.ts';
import { type KeyPath, readToml, type TomlDocument, TomlSyntaxError } from './toml.ts';

const Seconds = z.number().positive();
const Megabytes = z.int().positive();
const Env = z.record(z.string(), z.string());
const User = z.union([z.string(), z.int()]);
/** `512M` and the like, as versions before 1.1 wrote it. */
const Size = z.string().regex(/^\s*\d+(\.\d+)?\s*[KMG]\s*$/i, 'must be a number with K, M or G, such as "4G"');
const Anything = z.unknown();

export const NetworkMode = z.enum(['no-network', 'public', 'allowlist']);

const phaseKeys = {
  network_mode: NetworkMode.optional(),
  allowed_hosts: z.array(z.string().min(1)).optional(),
};

const environmentKeys = {
  ...phaseKeys,
  build_timeout_sec: Seconds.optional(),
  docker_image: z.string().min(1).optional(),
  os: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['linux', 'windows']))
    .optional(),
  cpus: z.number().positive().optional(),
  memory_mb: Megabytes.optional(),
  storage_mb: Megabytes.optional(),
  gpus: z.int().nonnegative().max(64).optional(),
  gpu_types: z
    .array(
      z
        .string()
        .max(40)
        .regex(/^[^,]*[A-Za-z0-9][^,]*$/, 'must be a model such as H100'),
    )
    .max(10)
    .optional(),
  tpu: Anything.optional(),
  mcp_servers: z.array(Anything).optional(),
  env: Env.optional(),
  skills_dir: z.string().optional(),
  healthcheck: Anything.optional(),
  workdir: z.string().startsWith('/', 'must be an absolute path').optional(),
  allow_internet: z.boolean().optional(),
  memory: Size.optional(),
  storage: Size.optional(),
};

const Environment = z.strictObject(environmentKeys);
const Agent = z.strictObject({ ...phaseKeys, timeout_sec: Seconds.optional(), user: User.optional() });
const Verifier = z.strictObject({
  ...phaseKeys,
  timeout_sec: Seconds.optional(),
  env: Env.optional(),
  user: User.optional(),
  environment_mode: z.enum(['shared', 'separate']).optional(),
  environment: Environment.optional(),
  collect: z.array(Anything).optional(),
});
const Artifact = z.union([z.string(), z.looseObject({ source: z.string() })]);
const Step = z.strictObject({
  name: z.string().regex(/^[^/\\]+$/, 'must be the name of a folder below steps/'),
  agent: Agent.optional(),
  verifier: Verifier.optional(),
  min_reward: Anything.optional(),
  healthcheck: Anything.optional(),
  artifacts: z.array(Artifact).optional(),
});

/** What `task.toml` may say, in the versions 1.0 to 1.4 of its schema, with the keys of the first ones. */
export const TaskConfig = z.strictObject({
  schema_version: z.string().optional(),
  version: z.string().optional(),
  task: z
    .strictObject({
      name: z.string().optional(),
      version: z.string().optional(),
      description: z.string().optional(),
      authors: z.array(z.looseObject({})).optional(),
      keywords: z.array(z.string()).optional(),
    })
    .optional(),
  // Anything may be said here. Harbor has no key of its own for the memory of a GPU.
  metadata: z.looseObject({ gpu_memory_gib: z.int().positive().max(4096).optional() }).default({}),
  verifier: Verifier.prefault({}),
  agent: Agent.prefault({}),
  environment: Environment.prefault({}),
  solution: z.strictObject({ env: Env.optional() }).prefault({}),
  source: z.string().optional(),
  multi_step_reward_strategy: z.enum(['mean', 'final']).optional(),
  multi_step_reward_mode: z.string().optional(),
  steps: z.array(Step).optional(),
  artifacts: z.array(Artifact).default([]),
});
export type TaskConfig = z.infer<typeof TaskConfig>;

export interface ReadConfig {
  /** Null when it has errors. */
  config: TaskConfig | null;
  findings: Finding[];
  lineOf: TomlDocument['lineOf'];
}

const FILE = 'task.toml';
const KNOWN_VERSIONS = ['1.0', '1.1', '1.2', '1.3', '1.4'];

/** Reads a `task.toml`. Keys that nobody knows are warnings, and left out; all else that does not fit is an error. */
export function readTaskConfig(text: string): ReadConfig {
  let document: TomlDocument;
  try {
    document = readToml(text);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    return { config: null, findings: [errorIn(FILE, error.line, `is not TOML: ${error.message}`)], lineOf: () => null };
  }
  const { value, lineOf } = document;
  const issues = TaskConfig.safeParse(value).error?.issues ?? [];
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [],
  );
  const wrong = issues.filter((issue) => issue.code !== 'unrecognized_keys');
  const parsed = TaskConfig.safeParse(without(value, unknown));
  const findings = [
    ...unknown.map((path) => warningIn(FILE, lineOf(path), unknownKeyText(path))),
    ...wrong.map(({ path, message }) => errorIn(FILE, lineOf(path), `${dotted(path)}: ${plain(message)}`)),
    ...(parsed.success ? oddities(parsed.data, lineOf) : []),
  ];
  findings.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return { config: parsed.success ? parsed.data : null, findings, lineOf };
}

/** What fits the schema and yet cannot be meant. */
function oddities({ environment, agent, verifier, ...config }: TaskConfig, lineOf: TomlDocument['lineOf']): Finding[] {
  const findings: Finding[] = [];
  const note = (severity: Finding['severity'], path: KeyPath, text: string) =>
    findings.push({ severity, file: FILE, line: lineOf(path), text: `${dotted(path)}: ${text}` });
  const version = config.schema_version ?? config.version;
  if (version !== undefined && !KNOWN_VERSIONS.includes(version))
    note('warning', ['schema_version'], `${version} is read as 1.4, the newest that is known`);
  for (const [section, seconds] of [
    ['agent', agent.timeout_sec],
    ['verifier', verifier.timeout_sec],
  ] as const)
    if (seconds !== undefined && seconds > DAY_SECONDS)
      note('warning', [section, 'timeout_sec'], `${seconds} seconds are more than a day: were milliseconds meant?`);
  for (const [old, key] of [
    ['memory', 'memory_mb'],
    ['storage', 'storage_mb'],
  ] as const) {
    const [size, megabytes] = [environment[old], environment[key]];
    if (megabytes !== undefined && megabytes < 16)
      note(
        'warning',
        ['environment', key],
        `${megabytes} megabytes are very little: ${megabytes * 1024} for gigabytes?`,
      );
    if (size !== undefined && megabytes !== undefined && mebibytesOf(size) !== megabytes)
      note('error', ['environment', old], `${size} is not the ${megabytes} megabytes of ${key}: leave one of them out`);
  }
  for (const [section, phase] of [
    ['environment', environment],
    ['agent', agent],
    ['verifier', verifier],
  ] as const)
    if (phase.allowed_hosts !== undefined && phase.network_mode !== 'allowlist')
      note('error', [section, 'allowed_hosts'], 'has a meaning only beside network_mode = "allowlist": add that');
  return findings;
}

const DAY_SECONDS = 86_400;

/** `4G` in MiB, rounded down. */
export function mebibytesOf(size: string): number {
  const [, number = '0', unit = 'M'] = /^\s*([\d.]+)\s*([KMG])/i.exec(size) ?? [];
  return Math.floor(Number(number) * ({ K: 1 / 1024, M: 1, G: 1024 }[unit.toUpperCase()] ?? 1));
}

function unknownKeyText(path: KeyPath): string {
  const key = String(path.at(-1));
  const likely = closest(key, knownKeysAt(path));
  const isClose = distance(key, likely) <= Math.max(2, Math.floor(key.length / 3));
  return `${dotted(path)} is not a key that is known${isClose ? `: did you mean ${likely}?` : ', and is left out'}`;
}

function knownKeysAt(path: KeyPath): string[] {
  const section = path.slice(0, -1).filter((part) => typeof part === 'string');
  const shapes: Record<string, z.ZodObject> = {
    '': TaskConfig,
    environment: Environment,
    'verifier.environment': Environment,
    agent: Agent,
    verifier: Verifier,
    steps: Step,
    'steps.agent': Agent,
    'steps.verifier': Verifier,
  };
  return Object.keys(shapes[section.join('.')]?.shape ?? TaskConfig.shape);
}

function without(value: unknown, paths: readonly KeyPath[]): unknown {
  const copy = structuredClone(value);
  for (const path of paths) {
    let at: unknown = copy;
    for (const part of path.slice(0, -1)) at = isRecord(at) ? at[String(part)] : undefined;
    if (isRecord(at)) delete at[String(path.at(-1))];
  }
  return copy;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function plain(message: string): string {
  return message.replace(/^Invalid input: /, '');
}

/** `environment.memory_mb`, `steps[0].name`. */
function dotted(path: KeyPath): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');
}
