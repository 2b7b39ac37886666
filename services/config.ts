import { readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { type EgressPermit, type HostRule, type Origin, readHostRule } from '#sandbox/egress/policy.ts';
import { CladeError } from './errors.ts';
import { type EndpointOf, usableEndpoint } from './gateway/endpoint.ts';
import { ModelCatalog } from './gateway/models.ts';
import { withSecretFiles } from './secret-files.ts';
import type { GpuChoice, WantedGpus } from './worker/gpus.ts';

/** Each may be given as a file, which `<name>_FILE` names; so may the models' keys. */
const SECRETS = ['CLADE_ADMIN_TOKEN', 'CLADE_VIEWER_TOKEN', 'CLADE_WORKER_TOKEN', 'CLADE_REDIS'];

const LogLevel = z.enum(['silent', 'error', 'warn', 'info', 'debug']);

/** What the environment says, each with its default. */
const Environment = z.object({
  CLADE_HOME: z.string().min(1).default('.clade'),
  CLADE_HOST: z.string().min(1).default('127.0.0.1'),
  CLADE_PORT: z.coerce.number().int().min(0).max(65_535).default(7777),
  CLADE_ADMIN_TOKEN: z.string().min(16, 'needs at least 16 characters').optional(),
  CLADE_VIEWER_TOKEN: z.string().min(16, 'needs at least 16 characters').optional(),
  CLADE_WORKER_TOKEN: z.string().min(16, 'needs at least 16 characters').optional(),
  CLADE_CONTROL: z.url({ protocol: /^https?$/, error: 'must look like http://control.example:7777' }).optional(),
  CLADE_REDIS: z.url({ protocol: /^rediss?$/, error: 'must look like redis://host:6379' }).optional(),
  CLADE_MODELS: z.string().min(1).optional(),
  CLADE_LOG: LogLevel.default('warn'),
  CLADE_MIN_FREE_MIB: z.coerce.number().int().nonnegative().default(200),
  CLADE_IMAGE_QUOTA_GIB: z.coerce.number().positive().optional(),
  CLADE_EGRESS: z.string().default(''),
  CLADE_GPUS: z
    .string()
    .regex(
      /^(all|none|(\d+|GPU-[\w-]+)(,(\d+|GPU-[\w-]+))*)$/,
      'must be all, none, or numbers or uuids as "nvidia-smi -L" names them, such as 0,1',
    )
    .default('all'),
  CLADE_GPU_SHARE: z.coerce.number().int().min(1).max(64).default(1),
});

/** What a service needs to know, however it was told. */
export interface Config {
  /** Data directory, absolute. */
  home: string;
  host: string;
  /** 0: any free port. */
  port: number;
  tokens: { admin?: string | undefined; viewer?: string | undefined; worker?: string | undefined };
  /** Carries doorbells between machines; null: control tells workers itself. */
  redisUrl: string | null;
  /** Where a worker finds control. */
  controlUrl: string | null;
  catalog: ModelCatalog;
  /** Base URL and key of a model's provider, looked up under the names that its entry gives. */
  endpointOf: EndpointOf;
  logLevel: z.infer<typeof LogLevel>;
  /** Below this much free disk space runs pause. */
  minFreeMiB: number;
  /** Where it is remembered which images were used, and how much room they may take; undefined: all there is. */
  images: { directory: string; quotaBytes: number | undefined };
  /** What sandboxes may reach at most, never the models' endpoints. */
  egress: EgressPermit;
  /** The GPUs of this machine that work may use, and how many sandboxes one of them serves at a time. */
  gpus: GpuChoice;
}

/** Flags of the command line; they win over the environment. */
export interface Flags {
  home?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  logLevel?: string | undefined;
  minFreeMiB?: number | undefined;
  control?: string | undefined;
  workerToken?: string | undefined;
  gpus?: string | undefined;
  gpuShare?: number | undefined;
}

/**
 * The only reader of the environment.
 * @throws CladeError `invalid-config` naming the variable or file and what it should be.
 */
export function readConfig(env: Record<string, string | undefined> = process.env, flags: Flags = {}): Config {
  const parsed = Environment.safeParse({
    ...dropUnset(withSecretFiles(env, SECRETS)),
    ...dropUnset({
      CLADE_HOME: flags.home,
      CLADE_HOST: flags.host,
      CLADE_PORT: flags.port,
      CLADE_LOG: flags.logLevel,
      CLADE_MIN_FREE_MIB: flags.minFreeMiB,
      CLADE_CONTROL: flags.control,
      CLADE_WORKER_TOKEN: flags.workerToken,
      CLADE_GPUS: flags.gpus,
      CLADE_GPU_SHARE: flags.gpuShare,
    }),
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CladeError('invalid-config', `${issue?.path.join('.')}: ${issue?.message}. Correct it and start again.`);
  }
  const { data } = parsed;
  const home = resolve(data.CLADE_HOME);
  const quotaGib = data.CLADE_IMAGE_QUOTA_GIB;
  const catalog = readCatalog(data.CLADE_MODELS);
  const keys = Object.values(catalog).map(({ apiKeyEnv }) => apiKeyEnv);
  const withKeys = withSecretFiles(env, keys);
  const endpointOf: EndpointOf = ({ baseUrl, baseUrlEnv, apiKeyEnv }) => ({
    baseUrl: baseUrl ?? (env[baseUrlEnv] || null),
    apiKey: withKeys[apiKeyEnv] || null,
  });
  return {
    home,
    host: data.CLADE_HOST,
    port: data.CLADE_PORT,
    tokens: { admin: data.CLADE_ADMIN_TOKEN, viewer: data.CLADE_VIEWER_TOKEN, worker: data.CLADE_WORKER_TOKEN },
    redisUrl: data.CLADE_REDIS ?? null,
    controlUrl: data.CLADE_CONTROL ?? null,
    catalog,
    endpointOf,
    logLevel: data.CLADE_LOG,
    minFreeMiB: data.CLADE_MIN_FREE_MIB,
    images: { directory: join(home, 'images'), quotaBytes: quotaGib === undefined ? undefined : quotaGib * 2 ** 30 },
    egress: { rules: egressRules(data.CLADE_EGRESS), reserved: modelOrigins(catalog, endpointOf) },
    gpus: { wanted: wantedGpus(data.CLADE_GPUS), share: data.CLADE_GPU_SHARE },
  };
}

function wantedGpus(text: string): WantedGpus {
  return text === 'all' || text === 'none' ? text : text.split(',');
}

function egressRules(list: string): HostRule[] {
  const texts = list.split(',').filter((text) => text.trim() !== '');
  return texts.map((text) => {
    const rule = readHostRule(text);
    if (rule !== null) return rule;
    throw new CladeError(
      'invalid-config',
      `CLADE_EGRESS: ${JSON.stringify(text.trim())} is none of pypi.org, *.pypi.org, pypi.org:8443, 10.0.0.7, [fd00::7] and * (with commas between them). Correct it and start again.`,
    );
  });
}

function modelOrigins(catalog: ModelCatalog, endpointOf: EndpointOf): Origin[] {
  return Object.values(catalog).flatMap((entry) => {
    const endpoint = entry.upstream === 'rehearsal' ? null : usableEndpoint(entry, endpointOf(entry));
    if (endpoint === null || 'missing' in endpoint) return [];
    const { hostname, port, protocol } = new URL(endpoint.baseUrl);
    const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    return [{ host, port: Number(port) || (protocol === 'http:' ? 80 : 443) }];
  });
}

function readCatalog(path: string | undefined): ModelCatalog {
  if (path === undefined) return ModelCatalog.parse({});
  const file = isAbsolute(path) ? path : resolve(path);
  const wrong = (what: string, cause?: unknown) =>
    new CladeError(
      'invalid-config',
      `CLADE_MODELS: ${file} ${what}. See "Your first real run" in the README for its form.`,
      {
        cause,
      },
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw wrong(cause instanceof SyntaxError ? `is not JSON: ${cause.message}` : 'cannot be read', cause);
  }
  const parsed = ModelCatalog.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw wrong(`is not a model catalogue: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** An empty variable is one that is not set: Compose files pass on what they were not given that way. */
function dropUnset(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== ''));
}
