import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { callKey } from '../../src/calls/call.ts';
import { type AnswerToJudge, type JudgeRequest, requestMaker } from '../../src/judging/judge-requests.ts';
import { MODE_NAMES } from '../../src/judging/panel.ts';
import { judgeFiles } from '../../src/judging/templates.ts';
import type { TeachersConfig } from '../../src/stages/aif/judge/config.ts';
import { callFields } from '../rig/task.ts';

const FILES = join(import.meta.dirname, '../../scripts/train');
const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'];
const CONFIG: TeachersConfig = {
  version: 3,
  by: 'teachers',
  seed: 5,
  judges: [callFields('one', 900)],
  fallback: null,
  mode: 'per_aspect',
  aspects: ASPECTS,
  overall: false,
  permutations: 2,
  pairs_per_prompt: 10,
  min_mass: 0.5,
  calibration: null,
};
const answers = (count: number, prompt = 'p'): AnswerToJudge[] =>
  Array.from({ length: count }, (_, n) => ({
    completion_id: `${prompt}/${n}`,
    prompt_id: prompt,
    prompt: `ask ${prompt}`,
    text: `text ${n}`,
  }));
const requestsFor = async (change: Partial<TeachersConfig>, of: readonly AnswerToJudge[] = answers(4)) =>
  (await requestMaker({ ...CONFIG, ...change }, FILES))(of);
const orderOf = ({ answers: seen }: JudgeRequest) => seen.map(({ text }) => text.slice(5)).join('');
const keys = (requests: readonly JudgeRequest[]) => requests.map(({ tries }) => callKey(tries[0]?.[0] ?? assert.fail()));

describe('The questions about a prompt', () => {
  it('are as many as the mode says', async () => {
    const count = async (change: Partial<TeachersConfig>) => (await requestsFor(change)).length;
    assert.equal(await count({}), 8);
    assert.equal(await count({ permutations: 4 }), 16);
    assert.equal(await count({ mode: 'joint' }), 2);
    assert.equal(await count({ mode: 'pairwise' }), 12);
    assert.equal(await count({ mode: 'pairwise', permutations: 1, pairs_per_prompt: 4 }), 4);
    assert.equal(await count({ mode: 'expected' }), 16);
    assert.equal(await count({ mode: 'expected', overall: true }), 20);
    assert.equal(await count({ aspects: [], overall: true }), 4);
    assert.equal(await count({ judges: [callFields('one'), callFields('two'), callFields('three')] }), 24);
    assert.deepEqual(await requestsFor({}, answers(1)), []);
  });

  it('show the answers in a drawn order, its reverse, another and its reverse, each order once', async () => {
    const [one, two, three, four] = (await requestsFor({ permutations: 4, aspects: ['honesty'] })).map(orderOf);
    assert.equal(two, [...(one ?? '')].reverse().join(''));
    assert.equal(four, [...(three ?? '')].reverse().join(''));
    assert.equal(new Set([one, two, three, four]).size, 4);
    assert.equal((await requestsFor({ permutations: 4, aspects: ['honesty'] }, answers(2))).length, 2);
  });

  it('compare every two answers, or so many that each has as many opponents as another', async () => {
    const opponents = async (most: number) => {
      const seen = (await requestsFor({ mode: 'pairwise', permutations: 1, pairs_per_prompt: most }, answers(5))).map(orderOf);
      assert.equal(new Set(seen.map((pair) => [...pair].sort().join(''))).size, seen.length);
      return ['0', '1', '2', '3', '4'].map((id) => seen.filter((pair) => pair.includes(id)).length);
    };
    assert.deepEqual(await opponents(10), [4, 4, 4, 4, 4]);
    assert.deepEqual(await opponents(5), [2, 2, 2, 2, 2]);
    const [there, back] = (await requestsFor({ mode: 'pairwise' }, answers(2))).map(orderOf);
    assert.equal(there, [...(back ?? '')].reverse().join(''));
  });

  it('follow from seed and prompt alone, so that another run asks the same and another seed does not', async () => {
    for (const mode of MODE_NAMES) {
      const again = keys(await requestsFor({ mode }));
      assert.deepEqual(keys(await requestsFor({ mode })), again);
      assert.deepEqual(new Set(keys(await requestsFor({ mode }, answers(4).reverse()))), new Set(again));
    }
    const seeds = await Promise.all([1, 2, 3, 4].map((seed) => requestsFor({ seed, aspects: ['honesty'] })));
    assert.ok(new Set(seeds.map((requests) => orderOf(requests[0] ?? assert.fail()))).size > 1);
  });

  it('find every template that they name, and the step lists just those', async () => {
    const there = new Set(readdirSync(join(FILES, 'templates')));
    for (const mode of MODE_NAMES) {
      const requests = await requestsFor({ mode, overall: true });
      const named = requests.flatMap(({ instructions }) => instructions.id.split('+').map((name) => `templates/${name}.md`));
      assert.deepEqual([...new Set(named)].sort(), judgeFiles({ mode, aspects: ASPECTS, overall: true }).sort());
      for (const file of named) assert.ok(there.has(file.replace('templates/', '')), file);
    }
  });

  it('ask once more, then the fallback and that once more, each as a call of its own', async () => {
    const [request] = await requestsFor({ fallback: callFields('spare') });
    const calls = (request?.tries ?? []).flat();
    assert.deepEqual(
      calls.map(({ model }) => model),
      ['one', 'one', 'spare', 'spare'],
    );
    assert.equal(new Set(calls.map(callKey)).size, 4);
  });

  it('name no model and no id of an answer to the judge', async () => {
    for (const mode of MODE_NAMES)
      for (const { tries } of await requestsFor({ mode }))
        assert.ok(!JSON.stringify(tries[0]?.[0]?.messages).includes('p/'), mode);
  });

  it('ask in mode expected for one digit, last thing in the system turn, with its alternatives', async () => {
    for (const { tries } of await requestsFor({ mode: 'expected' })) {
      const call = tries[0]?.[0] ?? assert.fail();
      assert.match(call.messages[0]?.content.split('\n').at(-1) ?? '', /exactly one digit/);
      assert.deepEqual([call.top_logprobs, call.schema, call.sampling.max_tokens], [20, undefined, 4]);
    }
  });
});
