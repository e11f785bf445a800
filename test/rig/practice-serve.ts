import { parseArgs } from 'node:util';
import { startFaultyPractice } from './faulty-practice.ts';
import type { PracticeLimits } from './limits.ts';

/**
 * The practice teacher as a process of its own: `node practice-serve.ts --log FILE [--seed 1] [--port 0] [--key K]
 * [--faults RULES] [--batches RULES]`, and for its limits `[--requestsPerMinute N] [--tokensPerMinute N]
 * [--burstSeconds N] [--per model|key] [--charge usage|estimate] [--silent]`. Prints its address.
 */
const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    seed: text,
    port: text,
    log: text,
    key: text,
    faults: text,
    batches: text,
    requestsPerMinute: text,
    tokensPerMinute: text,
    burstSeconds: text,
    per: text,
    charge: text,
    silent: { type: 'boolean' },
  },
});
const { port, requestsPerMinute, tokensPerMinute, burstSeconds, per, charge, silent, ...rest } = values;
const numbers = Object.entries({ requestsPerMinute, tokensPerMinute, burstSeconds }).flatMap(([name, value]) =>
  value === undefined ? [] : [[name, Number(value)]],
);
const limits = {
  ...Object.fromEntries(numbers),
  ...(per === undefined ? {} : { per }),
  ...(charge === undefined ? {} : { charge }),
  retryAfter: silent !== true,
} as PracticeLimits;
const server = await startFaultyPractice({ ...rest, limits, ...(port === undefined ? {} : { port: Number(port) }) });
process.stdout.write(`${server.url}\n`);
process.once('SIGTERM', () => void server.close());
process.once('SIGINT', () => void server.close());
