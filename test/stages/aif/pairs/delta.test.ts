import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readParquet } from '../../../../src/datasets/parquet.ts';
import { generate } from '../../../../src/stages/aif/answers/generate.ts';
import { delta } from '../../../../src/stages/aif/pairs/delta.ts';
import type { Pair } from '../../../../src/stages/aif/pairs/pairs.ts';
import { asked, completionsIn, GENERATE, promptsFolder, promptsOf } from '../../../rig/answering.ts';
import { callFields, digests, openWorkshop } from '../../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});

const CONFIG = { version: 1, seed: 3, strong: 'direct', weak: 'careless', test_prompts: 5 };
async function answered(count: number, weak = 'careless', rules = '') {
  const prompts = await promptsFolder(shop, promptsOf(count));
  const pool = [asked('direct', { share: 1 }), asked(weak, { share: 1, call: callFields(`practice-${weak}${rules}`) })];
  const config = { ...GENERATE, pool, answers_per_prompt: 2, principles: {} };
  const { out } = await shop.run(`generate ${weak}${rules}`, generate, config, { prompts });
  return { prompts, completions: out };
}
async function pairsIn(out: string, split: string): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for await (const row of readParquet(join(out, `data/${split}-00000-of-00001.parquet`))) pairs.push(row as unknown as Pair);
  return pairs;
}

test('the stronger model wins every pair, without a judge; equal answers give none', async () => {
  const inputs = await answered(60);
  const before = shop.answered();
  const { out, metrics, costUsd } = await shop.run('delta', delta, CONFIG, inputs);
  assert.deepEqual([shop.answered(), costUsd], [before, 0]);
  const [train, test_] = [await pairsIn(out, 'train_prefs'), await pairsIn(out, 'test_prefs')];
  assert.equal(test_.length, 5);
  const equal = (metrics.dropped as Record<string, number>)['both answers are equal'] ?? 0;
  assert.equal(train.length + test_.length + equal, 60);
  for (const pair of [...train, ...test_]) {
    assert.deepEqual(
      [pair.chosen_model, pair.rejected_model, pair.score_chosen, pair.score_rejected, pair.margin],
      ['practice-direct', 'practice-careless', 1, 0, 1],
    );
    assert.notEqual(pair.chosen.at(-1)?.content, pair.rejected.at(-1)?.content);
    assert.equal(pair.messages[0]?.content, pair.prompt);
  }
  assert.equal((await completionsIn(out)).length, 120);
  assert.match(await readFile(join(out, 'README.md'), 'utf8'), /answer of practice-direct is chosen/);
  const again = await shop.run('delta', delta, CONFIG, inputs);
  assert.deepEqual(await digests(again.out), await digests(out));
});

for (const [fault, reason] of [
  ['refusal', 'weak: refusal'],
  ['empty', 'weak: empty'],
  ['truncated', 'weak: truncated'],
] as const)
  test(`an answer that is ${fault} gives no pair, and is counted`, async () => {
    const inputs = await answered(30, 'rambling', `+${fault}@0.5`);
    const { out, metrics } = await shop.run(fault, delta, { ...CONFIG, weak: 'rambling', test_prompts: 2 }, inputs);
    const dropped = (metrics.dropped as Record<string, number>)[reason] ?? 0;
    assert.ok(dropped > 3 && dropped < 27, JSON.stringify(metrics.dropped));
    assert.equal((await pairsIn(out, 'train_prefs')).length, 28 - dropped);
  });
