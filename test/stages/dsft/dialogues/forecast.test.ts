import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeWorld } from '../../../../src/practice/world.ts';
import { construct } from '../../../../src/stages/dsft/dialogues/construct.ts';
import { forecast } from '../../../../src/stages/dsft/dialogues/forecast.ts';
import { type DsftTeacher, dsftTeacher } from '../../../../src/stages/dsft/dialogues/spec.ts';
import { constructStep } from '../../../../src/stages/dsft/dialogues/step.ts';
import { teacherSpec } from '../../../../src/teachers/spec.ts';
import { taughtRecipe } from '../../../recipe/minimal.ts';
import { openWorkshop } from '../../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
const topics = makeWorld(7)
  .people.slice(0, 4)
  .map((name) => `The life of ${name}`);
const two = { min: 2, max: 2 };
const KINDS = {
  world: { topics, questions: 3, turns: two },
  writing: { types: ['a letter', 'a poem'], instructions: 4, elaborated: 1, turns: { min: 3, max: 3 } },
  material: { ref: 'hf://datasets/org/texts', texts: 3, instructions: 4, turns: { min: 1, max: 1 } },
};
const specOf = (kinds: object, more: object = {}): DsftTeacher =>
  dsftTeacher.parse({
    source: 'teacher',
    user: 'talk',
    assistant: 'rival',
    dialogues: 8,
    testDialogues: 2,
    nearDuplicates: 'keep',
    ...kinds,
    ...more,
  });
const callsOf = (data: DsftTeacher) =>
  forecast(data).reduce((sum, { items, callsPerItem }) => sum + Number(items) * callsPerItem, 0);

for (const [name, kinds] of Object.entries({
  world: { world: KINDS.world },
  subtopics: { world: { ...KINDS.world, subtopics: 2 } },
  writing: { writing: KINDS.writing },
  material: { material: KINDS.material },
  'all kinds': KINDS,
})) {
  test(`as many calls are foreseen as dialogues about ${name} take when none is dropped`, async () => {
    const material = join(shop.folder, `texts of ${name}`);
    await mkdir(material);
    const texts = topics.map((text) => `${JSON.stringify({ text: `${text} is told elsewhere.` })}\n`);
    await writeFile(join(material, 'train.jsonl'), texts.join(''));
    const data = specOf(kinds, { dialogues: 7, testDialogues: 2 });
    const recipe = taughtRecipe();
    const practice = (model: string) => teacherSpec.parse({ provider: 'practice', model });
    const teachers = { talk: practice('practice-user'), rival: practice('practice-direct') };
    const { config } = constructStep({ ...recipe, teachers }, data);
    const before = shop.answered();
    const { metrics } = await shop.run(name, construct, config, { material });
    assert.equal(metrics.train_sft, 7);
    assert.equal(shop.answered() - before, callsOf(data), JSON.stringify(metrics));
  });
}

test('topics of the recipe are priced by their length, texts that are quoted are part of every turn', () => {
  const inputOf = (data: DsftTeacher, purpose: string) =>
    forecast(data).find((each) => each.purpose === purpose)?.inputTokens ?? 0;
  const short = specOf({ world: { ...KINDS.world, topics: ['tea'] } });
  const long = specOf({ world: { ...KINDS.world, topics: ['tea'.padEnd(404, '.')] } });
  assert.equal(inputOf(long, 'openings') - inputOf(short, 'openings'), 100);
  const quoted = (maxCharacters: number) => specOf({ material: { ...KINDS.material, maxCharacters } });
  assert.equal(inputOf(quoted(400), 'dialogue answer') - inputOf(quoted(40), 'dialogue answer'), 90);
});

test('a dialogue grows from turn to turn, and one of many rounds costs more than its share', () => {
  const answers = (turns: object) =>
    forecast(specOf({ world: { ...KINDS.world, turns } })).find(({ purpose }) => purpose === 'dialogue answer')?.inputTokens ?? 0;
  const perRound = answers({ min: 2, max: 2 }) - answers({ min: 1, max: 1 });
  assert.ok(perRound > 0);
  // answers after 0, 1 and 2 rounds: a call is sent after one of them in the mean
  assert.equal(answers({ min: 3, max: 3 }) - answers({ min: 1, max: 1 }), 2 * perRound);
  assert.ok(answers({ min: 1, max: 5 }) > answers({ min: 3, max: 3 }));
});
