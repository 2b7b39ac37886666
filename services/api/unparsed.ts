import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CladeError } from '#services/errors.ts';
import { problemOf } from './errors.ts';
import { responseHeaders } from './headers.ts';
import type { Problem } from './schema.ts';

/** Answers what arrived on a connection and is no request, as far as it can still be answered, and ends the connection. */
export function answerUnparsed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) socket.write(httpText(problemOf(requestError(error))));
  socket.destroy();
}

/** Node's name for what was wrong, as ours. */
function requestError({ code, message }: Error & { code?: string }): CladeError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new CladeError('too-slow', 'The request took too long to arrive. Send it again.');
  if (code === 'HPE_HEADER_OVERFLOW')
    return new CladeError(
      'headers-too-large',
      'The address and headers of the request are too long. Send fewer of them.',
    );
  return new CladeError(
    'invalid-request',
    `What arrived is no HTTP request (${message}). This service speaks plain HTTP/1.1.`,
  );
}

function httpText(problem: Problem): string {
  const body = JSON.stringify(problem);
  const headers = {
    ...responseHeaders,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...lines, '', body].join('\r\n');
}
