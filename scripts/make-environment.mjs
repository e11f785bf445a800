// Makes Python environments of this checkout, by the code of the CLI: `node scripts/make-environment.mjs [--test] [--check | --where]
// [NAME...]`, folders of scripts/train/environments, that of the training programs without a word. `--test` adds what the
// tests need to `train`, `--check` only looks, `--where` prints the interpreter of one that is whole.
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { environmentPython, TRAIN, withBases } from '../src/backends/environments.ts';
import { isMade, makeEnvironment } from '../src/backends/make-environment.ts';
import { EXIT, ZephyrError } from '../src/errors.ts';
import { root } from './stamp.mjs';

const { XDG_CACHE_HOME: cache = '' } = process.env;
const installation = { root, cache: join(isAbsolute(cache) ? cache : join(homedir(), '.cache'), 'zephyr') };
const options = process.argv.slice(2).filter((word) => word.startsWith('--'));
const named = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const requestOf = (name) => ({
  ...installation,
  name,
  files: ['requirements.txt', ...(name === TRAIN && options.includes('--test') ? ['requirements-test.txt'] : [])],
  env: process.env,
});
try {
  for (const name of await withBases(installation, named.length > 0 ? named : [TRAIN], () => false)) {
    if (!options.some((option) => option === '--check' || option === '--where'))
      await makeEnvironment({
        ...requestOf(name),
        say: (message) => process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}  ${name}: ${message}\n`),
      });
    else if (!(await isMade(requestOf(name)))) process.exitCode = 1;
  }
  if (options.includes('--where') && process.exitCode !== 1)
    process.stdout.write(`${await environmentPython(installation, named[0] ?? TRAIN)}\n`);
} catch (error) {
  if (!(error instanceof ZephyrError)) throw error;
  process.stderr.write(`error: ${error.message}\nhint: ${error.hint}\n`);
  process.exitCode = EXIT[error.exit];
}
