import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { idOf, made, writeFeedback } from '../e2e/feedback.ts';
import type { SampleAnswer, SampleQuestion } from '../fixtures/sample-teacher.ts';
import type { Protocol } from '../rig/chat-server.ts';
import { Extended } from '../rig/extended.ts';
import { startJudgingServer } from '../rig/judging-server.ts';
import { zephyr } from '../rig/zephyr.ts';

/** What the provider's servers speak. */
const protocol: Protocol = {
  request: (asked, headers) => {
    const { who, turns = [], most, heat, nucleus, seed, form, likely } = asked as SampleQuestion;
    const body = {
      model: who,
      messages: turns.map(({ by, says }) => ({ role: by, content: says })),
      max_tokens: most,
      temperature: heat,
      top_p: nucleus,
      seed,
      ...(form === undefined ? {} : { response_format: { type: 'json_schema', json_schema: { ...form, strict: true } } }),
      ...(likely === undefined ? {} : { logprobs: true, top_logprobs: likely }),
    };
    const key = headers['x-sample-key'];
    return { body, authorization: key === undefined ? undefined : `Bearer ${key}` };
  },
  answer: ({ id, choices: [choice], usage }): SampleAnswer => {
    assert.ok(choice);
    const { prompt_tokens, completion_tokens } = usage as { prompt_tokens?: number; completion_tokens?: number };
    return {
      id,
      said: choice.message.content,
      declined: choice.message.refusal,
      ended: choice.finish_reason,
      tokens: { read: prompt_tokens, written: completion_tokens },
      likely: choice.logprobs,
    };
  },
};

const sample = new Extended({ SAMPLE_KEY: 'a-key-of-the-sample' });
after(() => sample.remove());
sample.copy('sample-teacher.ts', 'src/teachers/sample.ts');
sample.insert(
  'src/teachers/providers.ts',
  '} as const satisfies',
  "  sample: { about: 'a protocol of its own', address: undefined, key: undefined, needsAddress: true },\n",
);
sample.import('src/teachers/registry.ts', 'sampleTeacher', './sample.ts');
sample.insert(
  'src/teachers/registry.ts',
  '  practice(spec, secret) {',
  '  sample: (spec, secret) => sampleTeacher(spec, addressOf(spec), secret),\n',
);

const { teacherContract } = await import(join(sample.folder, 'test/contracts/teacher.ts'));
const { openTeacher } = await import(join(sample.folder, 'src/teachers/registry.ts'));
teacherContract('sample', { provider: 'sample', open: openTeacher, protocol, keepsNone: true });

test('a provider that is added by a file and two entries is one that a recipe may name, and answers its calls', async () => {
  const server = await startJudgingServer(undefined, protocol);
  try {
    const price = { input: 1, output: 1, date: '2026-01-01', source: 'made up' };
    const teacher = { provider: 'sample', baseUrl: server.url, keyFrom: 'SAMPLE_KEY', price };
    const recipe = await writeFeedback({ prompts: 6, aspects: ['helpfulness'], teacher });
    const set = ['--set', 'aif.judge.permutations=1', '--set', 'aif.budgetUsd=9'];

    const schema = await zephyr(sample.place, 'schema', 'recipe');
    assert.match(schema.stdout, /; sample: a protocol of its own; practice:/);
    const nowhere = await zephyr(sample.place, 'plan', recipe, '--set', 'teachers.judge={provider: sample, model: m}');
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /teachers\.judge: expected baseUrl: a sample server has no usual address/);
    const plan = await zephyr(sample.place, 'plan', recipe, '--stage', 'aif', ...set);
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /aif\/judge +run +practice-judge rates helpfulness/);
    assert.equal(server.asked.length, 0);

    const { completions, ratings } = await made(sample.place, idOf(await zephyr(sample.place, 'aif', recipe, ...set)));
    assert.ok(completions.length > 0 && completions.every((row) => /^practice-\w+ says of it: /.test(String(row.text))));
    assert.ok(ratings.length > 0 && ratings.every((row) => row.status === 'ok'));
    assert.ok(server.asked.every(({ path, headers }) => path === '/v1/ask' && headers['x-sample-key'] === 'a-key-of-the-sample'));
  } finally {
    await server.close();
  }
});
