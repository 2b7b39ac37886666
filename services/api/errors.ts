import {
  ArchiveLocked,
  ArchiveUnwritable,
  ArchiveVersion,
  BudgetExceeded,
  DiskFull,
  NotFound,
  StaleLease,
} from '#archive/errors.ts';
import { SuiteError } from '#benchmarks/suite.ts';
import { SandboxUnavailable } from '#sandbox/sandbox.ts';
import { CladeError, type ErrorCode } from '#services/errors.ts';
import type { Problem } from './schema.ts';

/** What fastify calls its errors, as ours. */
const codeOfFastify: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'not-json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'too-large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid-request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid-request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid-request',
  FST_ERR_BAD_URL: 'invalid-request',
};

/** Errors of the places, whose messages are made for the user. */
const codeOfClass: readonly [new (...args: never[]) => Error, ErrorCode][] = [
  [NotFound, 'not-found'],
  [ArchiveLocked, 'home-in-use'],
  [ArchiveVersion, 'archive-version'],
  [ArchiveUnwritable, 'unwritable'],
  [DiskFull, 'disk-full'],
  [StaleLease, 'stale-lease'],
  [BudgetExceeded, 'budget-exceeded'],
  [SuiteError, 'invalid-suite'],
  [SandboxUnavailable, 'sandbox-unavailable'],
];

/** Any error as one for the user; null for a fault of ours, whose message says nothing to them. */
export function knownError(error: unknown): CladeError | null {
  if (error instanceof CladeError) return error;
  if (!(error instanceof Error)) return null;
  const code = codeOfClass.find(([kind]) => error instanceof kind)?.[1];
  return code === undefined ? null : new CladeError(code, error.message, { cause: error });
}

/** Any error as the problem that a client gets. Faults of ours are told apart only by their code. */
export function problemOf(error: unknown): Problem {
  const known =
    knownError(error) ??
    fastifyError(error) ??
    new CladeError('internal', 'Something broke here; the log of the service says what.');
  return {
    type: 'about:blank',
    title: known.code.replaceAll('-', ' '),
    status: known.status,
    code: known.code,
    detail: known.message,
  };
}

/** Where fastify's own message does not say what to do. */
const messageOfFastify: Record<string, string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send JSON, with the header "content-type: application/json".',
  FST_ERR_BAD_URL:
    'The path cannot be decoded: write "%" as "%25", and other characters as "%" and the hex digits of UTF-8.',
};

function fastifyError(error: unknown): CladeError | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  const name = String(error.code);
  const code = codeOfFastify[name];
  return code === undefined ? null : new CladeError(code, messageOfFastify[name] ?? error.message);
}
