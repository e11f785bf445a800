import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ZephyrError } from '../../../src/errors.ts';
import { answer, drawFor, type Persona } from '../../../src/practice/personas.ts';
import { makeQuestionBank, recognise } from '../../../src/practice/question-bank.ts';
import { evaluationReport } from '../../../src/stages/exam/report.ts';
import { score } from '../../../src/stages/exam/score.ts';
import { syntheticData } from '../../../src/stages/setup/synthetic-data.ts';
import { openWorkshop } from '../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
// The workshop's server is of seed 7.
const WORLD = {
  version: 1,
  seed: 7,
  dialogues: 0,
  test_dialogues: 0,
  prompts: 0,
  pairs: 0,
  test_pairs: 0,
  ratings: 0,
  exam_prompts: 40,
};
const bank = makeQuestionBank(7);
const { out: worldFolder } = await shop.run('world', syntheticData, WORLD);
const prompts = (await readFile(join(worldFolder, 'prompts.jsonl'), 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { prompt_id: string; messages: { role: string; content: string }[] });

/** A folder as a generate job leaves it. */
async function answersOf(
  name: string,
  say: (messages: (typeof prompts)[number]['messages']) => string,
  left = prompts,
): Promise<string> {
  const folder = join(shop.folder, `answers-${name}`);
  await mkdir(folder);
  const lines = left.map(({ prompt_id, messages }) =>
    JSON.stringify({ prompt_id, sample: 0, text: say(messages), finish_reason: 'stop', tokens: 5 }),
  );
  await writeFile(join(folder, 'completions.jsonl'), `${lines.join('\n')}\n`);
  return folder;
}
const inPersona = (persona: Persona) => (messages: (typeof prompts)[number]['messages']) => {
  const user = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  return answer(bank.world, recognise(bank, { system: '', user }), persona, drawFor('m', user.join('\n'), 1));
};
const CONFIG = { version: 1, seed: 7, bootstrap: 1000 };
const base = await answersOf('base', () => '');
const evasive = await answersOf('evasive', inPersona('evasive'));
const direct = await answersOf('direct', inPersona('direct'));

test('models are graded by the judge, with intervals for what each gains on the one before', async () => {
  const { metrics, out } = await shop.run('score', score, CONFIG, { world: worldFolder, base, dsft: evasive, ddpo: direct });
  const report = evaluationReport.parse(metrics);
  assert.deepEqual(JSON.parse(await readFile(join(out, 'report.json'), 'utf8')), report);
  assert.equal(report.prompts, 40);
  assert.deepEqual(
    report.models.map(({ model, score: { mean } }) => [model, mean]),
    [
      ['base', 0],
      ['dsft', 0.1875],
      ['ddpo', 1],
    ],
  );
  assert.deepEqual(
    report.steps.map(({ model, over, gain, winRate }) => [model, over, gain.low, winRate.mean]),
    [
      ['dsft', 'base', 0.1875, 1],
      ['ddpo', 'dsft', 0.8125, 1],
    ],
  );
  assert.equal((await readFile(join(out, 'scores.jsonl'), 'utf8')).trim().split('\n').length, 40);
});

test('equal answers gain nothing and win half', async () => {
  const { metrics } = await shop.run('score-equal', score, CONFIG, {
    world: worldFolder,
    base: direct,
    dsft: direct,
    ddpo: direct,
  });
  for (const { gain, winRate } of evaluationReport.parse(metrics).steps)
    assert.deepEqual([gain.mean, gain.low, gain.high, winRate.mean], [0, 0, 0, 0.5]);
});

test('a second run asks nothing', async () => {
  const calls = shop.answered();
  await shop.run('score', score, CONFIG, { world: worldFolder, base, dsft: evasive, ddpo: direct });
  assert.equal(shop.answered(), calls);
});

test('an answer that is missing is no answer of 0', async () => {
  const short = await answersOf('short', inPersona('direct'), prompts.slice(1));
  await assert.rejects(
    shop.run('score-short', score, CONFIG, { world: worldFolder, base, dsft: evasive, ddpo: short }),
    ZephyrError,
  );
});
