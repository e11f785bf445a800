import { parseArgs } from 'node:util';
import { startPracticeServer } from '../../src/practice/server.ts';

/** The practice teacher as a process of its own: `node practice-serve.ts --log FILE [--seed 1] [--port 0] [--key K] [--misbehave RULES]`. Prints its address. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    port: { type: 'string' },
    log: { type: 'string' },
    key: { type: 'string' },
    misbehave: { type: 'string' },
  },
});
const { port, ...rest } = values;
const server = await startPracticeServer({ ...rest, ...(port === undefined ? {} : { port: Number(port) }) });
process.stdout.write(`${server.url}\n`);
process.once('SIGTERM', () => void server.close());
process.once('SIGINT', () => void server.close());
