import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, pino, stdTimeFunctions } from 'pino';
import type { Emit } from '../model/event.ts';
import { redactDeep, redactor } from './redact.ts';

export interface RunLog {
  readonly emit: Emit;
  readonly close: () => void;
}

/**
 * Appends every event to a file as NDJSON (`level`, `time` in ISO 8601, `type`, then the event's members), redacted. Written
 * synchronously: what was emitted before a crash is in the file.
 */
export function openRunLog(path: string, options: { secrets?: Iterable<string> } = {}): RunLog {
  mkdirSync(dirname(path), { recursive: true });
  const file = destination({ dest: path, append: true, sync: true });
  const log = pino(
    { base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    file,
  );
  const redact = redactor(options.secrets);
  return {
    emit: ({ type, ...rest }) => {
      const level = type === 'warning' ? 'warn' : type === 'stage-failed' ? 'error' : 'info';
      log[level]({ type, ...(redactDeep(rest, redact) as object) });
    },
    close: () => {
      file.flushSync();
      file.end();
    },
  };
}
