import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { assertMistake } from '../rig/mistake.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';
import {
  idOf,
  keysOf,
  type Made,
  made,
  type Paid,
  paidTwice,
  startProvider,
  stoppedWhen,
  undisturbed,
  writeFeedback,
} from './feedback.ts';

const skip = missing();
const PRICE = { input: 1, output: 4, date: '2026-01-01', source: 'made up' };

describe('a stage with a budget', { skip, concurrency: false }, () => {
  let recipe: string;
  let whole: Made;
  let paid: readonly Paid[];
  before(async () => {
    recipe = await writeFeedback({ teacher: { price: PRICE, concurrency: 4 } });
    ({ made: whole, paid } = await undisturbed(recipe));
  });

  test('never spends more, keeps what it has, and ends with a larger one without buying anything twice', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
    const cap = billed(paid) / 2;
    const set = (usd: number) => ['--set', `aif.budgetUsd=${usd.toFixed(6)}`];
    const reached = await zephyr(place, 'aif', recipe, ...set(cap));
    assertMistake(
      reached,
      3,
      /Stopped at the budget: spent \$\S+ of \$\S+; about \d+ calls for \$\S+ are left/,
      /raise budgetUsd with --set; go on with: zephyr resume hf:/,
    );
    const [, id = ''] = /zephyr resume (hf:\S+)/.exec(reached.stderr) ?? [];
    const spent = billed(await provider.paid());
    assert.ok(spent <= cap, `billed ${spent} of ${cap}`);
    assert.ok(spent > cap / 2, `the budget is used: billed ${spent} of ${cap}`);

    const more = ['resume', id, ...set(cap * 1.8)];
    const stopped = await stoppedWhen(place, more, provider, (calls) => billed(calls) > cap, 'SIGINT');
    assert.equal(stopped.code, 130, stopped.stderr);
    const again = await zephyr(place, 'resume', id);
    assertMistake(again, 3, /Stopped at the budget/);
    assert.ok(again.stderr.includes(` of $${(cap * 1.8).toFixed(4)};`), `the larger one is the run's now: ${again.stderr}`);

    const last = await zephyr(place, 'aif', recipe, ...set(cap * 3));
    assert.match(last.stderr, /aif {2}resumed/, 'a budget makes no other run');
    assert.equal((await made(place, idOf(last))).digest, whole.digest);
    const calls = await provider.paid();
    assert.deepEqual(paidTwice(calls), []);
    assert.deepEqual(keysOf(calls), keysOf(paid));
  });

  test('is refused before anything is paid where a teacher has no price', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const unpriced = await writeFeedback({ teacher: { provider: 'openai', baseUrl: provider.url } });
    const place = await newPlace();
    assertMistake(
      await zephyr(place, 'aif', unpriced, '--set', 'aif.budgetUsd=1'),
      2,
      /--set aif\.budgetUsd=1: aif\.budgetUsd: expected teachers\.judge\.price/,
    );
    assert.deepEqual(await provider.paid(), []);
  });
});

describe('what resume may change of a recipe', { skip, concurrency: false }, () => {
  test('is what makes no other run of it; anything else is refused, and costs nothing', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
    const recipe = await writeFeedback({ prompts: 8, teacher: { concurrency: 1 } });
    const stopped = await stoppedWhen(place, ['aif', recipe], provider, (calls) => calls.length > 0, 'SIGINT');
    const [, id = ''] = /zephyr resume (hf:\S+)/.exec(stopped.stderr) ?? [];
    const before = (await provider.paid()).length;
    for (const [set, why] of [
      ['aif.answersPerPrompt=2', /aif\/generate\.config\.answers_per_prompt: 3 -> 2 makes it another run/],
      ['name=another', /output\.name: "test\/feedback-\w+" -> "test\/another-\w+" makes it another run/],
      ['namespace=elsewhere', /"test\/feedback-\w+" -> "elsewhere\/feedback-\w+" makes it another run/],
      ['seed=8', /seed: 7 -> 8 makes it another run/],
    ] as const)
      assertMistake(await zephyr(place, 'resume', id, '--set', set), 6, why);
    assertMistake(await zephyr(place, 'aif', recipe, '--resume', id), 2, /a run keeps its own/);
    assertMistake(
      await zephyr(place, 'resume', id, '--set', 'aif.budgetUds=2'),
      2,
      /--set aif\.budgetUds=2: unknown key "aif\.budgetUds"; did you mean "budgetUsd"\?/,
    );
    assert.equal((await provider.paid()).length, before);
    assert.equal((await zephyr(place, 'resume', id, '--set', 'teachers.judge.concurrency=8')).code, 0);
  });
});

/** What a provider bills for the calls that it answered, in dollars. */
function billed(calls: readonly Paid[]): number {
  return calls.reduce(
    (sum, { completion: { usage } }) => sum + (usage.prompt_tokens * PRICE.input + usage.completion_tokens * PRICE.output) / 1e6,
    0,
  );
}
