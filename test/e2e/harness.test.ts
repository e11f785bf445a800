import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { missing, newPlace, root, zephyr } from '../rig/zephyr.ts';
import { importBase, writeTiny } from './tiny.ts';

const run = promisify(execFile);

interface Inspected {
  readonly manifest: { readonly metrics: { readonly benchmarks: readonly { name: string; n: number; dropped: number }[] } };
}

/** Why the harness cannot run here: its Python environment takes a minute to make, which no test does by the way. */
async function noHarness(): Promise<string | undefined> {
  const asked = run(process.execPath, [join(root, 'scripts', 'make-environment.mjs'), '--check', 'lm-eval']);
  return await asked.then(
    () => undefined,
    () => 'no Python environment lm-eval: node scripts/make-environment.mjs lm-eval',
  );
}

it('A model is scored by lm-eval, and its second evaluation takes up the first', {
  skip: missing() ?? (await noHarness()),
}, async () => {
  const place = await newPlace();
  await importBase(place);
  const tiny = await writeTiny();
  const args = ['eval', 'hf://models/test/base', tiny.recipe, '--on', tiny.on('process'), '--suite', 'smoke'];
  const first = await zephyr(place, ...args, '--set', 'eval.parts=[harness]');
  assert.equal(first.code, 0, first.stderr);
  const told = JSON.parse((await zephyr(place, 'inspect', first.stdout.trim(), '--json')).stdout) as Inspected;
  assert.deepEqual(
    told.manifest.metrics.benchmarks.map(({ name, n, dropped }) => ({ name, n, dropped })),
    [
      { name: 'smoke-choice', n: 24, dropped: 0 },
      { name: 'smoke-repeat', n: 12, dropped: 0 },
    ],
  );

  const second = await zephyr(place, ...args, '--set', 'eval.parts=[harness]');
  assert.equal(second.code, 0, second.stderr);
  assert.equal(second.stdout, first.stdout);
  assert.match(second.stderr, /eval\/harness {2}reused/);
});
