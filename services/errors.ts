/** Every error whose message is for the user, and the HTTP status it has. */
const statusOfCode = {
  'invalid-request': 400,
  unauthorized: 401,
  forbidden: 403,
  'wrong-origin': 403,
  'not-found': 404,
  'wrong-method': 405,
  'too-slow': 408,
  'wrong-state': 409,
  'home-in-use': 409,
  'worker-refused': 409,
  'worker-name-taken': 409,
  'worker-unknown': 410,
  'stale-lease': 409,
  'upload-conflict': 409,
  'blob-missing': 409,
  'call-unknown': 410,
  'idempotency-conflict': 409,
  'too-large': 413,
  'not-json': 415,
  'wrong-host': 421,
  'unknown-suite': 422,
  'unknown-task': 422,
  'unknown-model': 422,
  'model-not-ready': 422,
  'invalid-suite': 422,
  'corrupt-blob': 422,
  'missing-tool': 422,
  'sandbox-unavailable': 422,
  'budget-exceeded': 422,
  'rate-limited': 429,
  'headers-too-large': 431,
  internal: 500,
  'archive-version': 500,
  unwritable: 500,
  'invalid-config': 500,
  'port-occupied': 503,
  'no-service': 503,
  'shutting-down': 503,
  'disk-full': 507,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof statusOfCode;

/**
 * An error whose message is meant for the person who asked: it says what happened, with which value, and what to do. The
 * API answers with a problem of this status, the CLI prints the message and ends with `exitCode`; neither shows a stack.
 */
export class CladeError extends Error {
  override name = 'CladeError';
  readonly code: ErrorCode;
  readonly status: number;
  /** 2: the request was wrong, or something it needs is missing. 1: it was tried, and did not work out. 128 and more: interrupted. */
  readonly exitCode: number;

  constructor(code: ErrorCode, message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = statusOfCode[code];
    this.exitCode = options.exitCode ?? 2;
  }
}

/** Lists what would have been right: `katas, polyglot`, or `none`. */
export function listed(names: Iterable<string>): string {
  return [...names].join(', ') || 'none';
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(statusOfCode, code);
}
