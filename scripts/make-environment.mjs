// Makes the Python environment of the training programs in this checkout, by the code of the CLI:
// `node scripts/make-environment.mjs [--test] [--check]`. `--test` adds what the tests need, `--check` only looks.
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { isMade, makeEnvironment } from '../src/backends/make-environment.ts';
import { EXIT, ZephyrError } from '../src/errors.ts';
import { root } from './stamp.mjs';

const { XDG_CACHE_HOME: cache = '' } = process.env;
const request = {
  root,
  cache: join(isAbsolute(cache) ? cache : join(homedir(), '.cache'), 'zephyr'),
  name: 'train',
  files: ['requirements.txt', ...(process.argv.includes('--test') ? ['requirements-test.txt'] : [])],
  env: process.env,
};
try {
  if (process.argv.includes('--check')) process.exitCode = (await isMade(request)) ? 0 : 1;
  else
    await makeEnvironment({
      ...request,
      say: (message) => process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}  ${message}\n`),
    });
} catch (error) {
  if (!(error instanceof ZephyrError)) throw error;
  process.stderr.write(`error: ${error.message}\nhint: ${error.hint}\n`);
  process.exitCode = EXIT[error.exit];
}
