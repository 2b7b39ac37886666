import { type Logger, pino } from 'pino';

export type Log = Logger;

/** Structured log lines on stderr, so that stdout stays what a command answers. */
export function createLog(level: string): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}
