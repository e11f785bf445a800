import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ZephyrError } from '../../../src/errors.ts';
import { getPrompts } from '../../../src/stages/eval/ifbench/prompts.ts';
import { evalSpec } from '../../../src/stages/eval/spec.ts';
import { evalSteps } from '../../../src/stages/eval/steps.ts';
import { minimalRecipe } from '../../recipe/minimal.ts';
import { folderWith } from '../../rig/answering.ts';
import { openWorkshop } from '../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});

/** Rows as the dataset has them: every argument of any instruction, null where it is not meant. */
const row = (key: string, more: object = {}) => ({
  key,
  prompt: `Tell me of ${key}.`,
  instruction_id_list: ['count:numbers'],
  kwargs: [{ N: 2, keyword: null, small_n: null }],
  ...more,
});

async function promptsOf(rows: readonly object[], limit: number | null = null) {
  const data = await folderWith(shop, { 'train.jsonl': rows });
  return await shop.run('ifbench-prompts', getPrompts, { version: 1, limit }, { data });
}
async function refusalOf(...rows: readonly object[]): Promise<string> {
  const thrown = await promptsOf(rows).then(
    () => assert.fail('it took the rows'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof ZephyrError);
  return thrown.message;
}

describe('The prompts of IFBench', () => {
  it('keep what is asked and the arguments that are meant', async () => {
    const { out, metrics } = await promptsOf([row('foxes'), row('stones')]);
    assert.deepEqual(metrics, { prompts: 2 });
    const [first] = (await readFile(join(out, 'prompts.jsonl'), 'utf8')).split('\n');
    const { key, kwargs: _, ...rest } = row('foxes');
    assert.deepEqual(JSON.parse(first ?? ''), { prompt_id: key, ...rest, kwargs: [{ N: 2 }] });
  });

  it('are the first ones alone where that is asked for', async () => {
    const { metrics } = await promptsOf([row('foxes'), row('stones'), row('hills')], 2);
    assert.deepEqual(metrics, { prompts: 2 });
  });

  it('are refused by row where they cannot be checked later', async () => {
    assert.equal(
      await refusalOf(row('foxes'), row('stones', { kwargs: [] })),
      'Cannot use row 2 of the data for IFBench: kwargs: expected one object for each instruction',
    );
    assert.match(await refusalOf(row('foxes', { prompt: 7 })), /^Cannot use row 1 of the data for IFBench: prompt: /);
    assert.equal(
      await refusalOf(row('foxes'), row('foxes')),
      'Cannot use row 2 of the data for IFBench: its key "foxes" is that of a row before it',
    );
  });
});

describe('The steps of IFBench', () => {
  const steps = (more: object = {}) =>
    evalSteps(minimalRecipe(), evalSpec.parse({ suite: 'modern', parts: ['ifbench'], ...more }));

  it('say in the protocol what decides the answers, with the commit of the data', () => {
    const score = steps().find(({ name }) => name === 'ifbench-score');
    assert.ok(score);
    const { protocol } = score.config as { protocol: Record<string, unknown> };
    assert.match(String(protocol.data), /^hf:\/\/datasets\/allenai\/IFBench_test@[0-9a-f]{40}$/);
    assert.deepEqual(Object.keys(protocol), ['data', 'template', 'system', 'bos', 'temperature', 'max_tokens', 'limit']);
  });

  it('answer greedily, and mark a prompt that does not fit', () => {
    const answers = steps({ ifbench: { maxTokens: 100 } }).find(({ name }) => name === 'ifbench-answers');
    assert.ok(answers);
    const { temperature, max_new_tokens, too_long } = answers.config as Record<string, unknown>;
    assert.deepEqual({ temperature, max_new_tokens, too_long }, { temperature: 0, max_new_tokens: 100, too_long: 'mark' });
  });
});
