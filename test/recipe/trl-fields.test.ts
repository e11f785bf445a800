import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { ZephyrError } from '../../src/errors.ts';
import { loadRecipe } from '../../src/recipe/load.ts';
import { type StagedRecipe, stages } from '../rig/stages.ts';
import { minimalData } from './minimal.ts';

describe('The passage trl of a training', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-trl-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'recipe.yaml');
  await writeFile(file, stringify(minimalData()));
  const load = async (set: string[]) => (await loadRecipe(file, { stages, set, env: {} })) as StagedRecipe;

  async function mistakes(set: string[]): Promise<string[]> {
    const error = await load(set).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) return [];
    assert.ok(error instanceof ZephyrError, String(error));
    assert.equal(error.exit, 'usage');
    return error.message.split('\n');
  }

  const fieldsOf = async (name: string): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(`configs/schema/trl-${name}.json`, 'utf8')).fields;

  it('passes fields of TRL through, and refuses unknown ones and those that the recipe owns', async () => {
    const recipe = await load(['dsft.train.trl.max_grad_norm=0.5', 'ddpo.train.trl.label_smoothing=0.1']);
    assert.deepEqual(recipe.dsft.train.trl, { max_grad_norm: 0.5 });
    assert.deepEqual(
      await mistakes(['dsft.train.trl={max_grad_nrm: 1, learning_rate: 1, output_dir: x}', 'ddpo.train.trl.max_prompt_length=1']),
      [
        '--set dsft.train.trl={max_grad_nrm: 1, learning_rate: 1, output_dir: x}: unknown key "dsft.train.trl.max_grad_nrm", no field of SFTConfig; did you mean "max_grad_norm"?',
        '--set dsft.train.trl={max_grad_nrm: 1, learning_rate: 1, output_dir: x}: "dsft.train.trl.learning_rate" belongs to the recipe itself, expected dsft.train.learningRate',
        '--set dsft.train.trl={max_grad_nrm: 1, learning_rate: 1, output_dir: x}: "dsft.train.trl.output_dir" is set by zephyr, expected it to be left out',
        '--set ddpo.train.trl.max_prompt_length=1: "ddpo.train.trl.max_prompt_length" belongs to the recipe itself, expected ddpo.prepare.maxPromptLength',
      ],
    );
  });

  it('refuses what would have a resumed training read rows twice', async () => {
    const [told] = await mistakes(['dsft.train.trl.ignore_data_skip=true']);
    assert.match(told ?? '', /"dsft\.train\.trl\.ignore_data_skip" is set by zephyr/);
  });

  it('never names a field that the stage does not have', async () => {
    const set = ['dsft.train.trl.loss_type=dft', 'dsft.train.trl.precompute_ref_log_probs=true', 'ddpo.train.trl.packing=true'];
    assert.deepEqual(await mistakes(set), [
      `--set ${set[0]}: "dsft.train.trl.loss_type" is set by zephyr, expected it to be left out`,
      `--set ${set[1]}: unknown key "dsft.train.trl.precompute_ref_log_probs", no field of SFTConfig`,
      `--set ${set[2]}: unknown key "ddpo.train.trl.packing", no field of DPOConfig`,
    ]);
  });

  it('refuses fields of TRL that say where a training runs, and names the field of the target', async () => {
    const [sft, dpo] = await Promise.all(['sft', 'dpo'].map(fieldsOf));
    const placed =
      /^(fsdp|deepspeed|parallelism|accelerator_config|ddp_|per_device_|gradient_accumulation|use_cpu|local_rank|auto_find)/;
    const fields = Object.keys({ ...sft, ...dpo }).filter((field) => placed.test(field));
    assert.equal(fields.length, 17);
    for (const field of fields) {
      const found = await mistakes([`dsft.train.trl.${field}=1`, `ddpo.train.trl.${field}=1`]);
      assert.equal(found.length, 2);
      for (const line of found) assert.match(line, new RegExp(`${field}" belongs to the target, expected hardware\\.\\w+`));
    }
    const [told] = await mistakes(['dsft.train.trl.fsdp=full_shard']);
    assert.match(told ?? '', /"dsft\.train\.trl\.fsdp" belongs to the target, expected hardware\.sharding there$/);
  });

  it('refuses in a recipe every field of TRL that the programs set themselves', async () => {
    const programs = await Promise.all(
      ['train_config', 'dsft', 'ddpo'].map((name) => readFile(`scripts/train/${name}.py`, 'utf8')),
    );
    const owned = programs.flatMap((text) =>
      [...text.matchAll(/own(?:ed)?(?:: dict\[str, Any\])? = \{(.*?)\}\n/gs)].flatMap(([, body = '']) =>
        [...body.matchAll(/"(\w+)":/g)].map(([, field]) => field),
      ),
    );
    assert.ok(owned.includes('output_dir') && owned.length > 20, owned.join());
    const sft = await fieldsOf('sft');
    for (const field of owned) {
      const stage = field !== undefined && field in sft ? 'dsft' : 'ddpo';
      const found = await mistakes([`${stage}.train.trl.${field}=1`]);
      assert.match(found[0] ?? `${field} is taken`, /belongs to the|is set by zephyr|no field of/);
    }
  });
});
