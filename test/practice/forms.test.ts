import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { comparisonFormat } from '../../src/judging/comparison.ts';
import { expectedFormat } from '../../src/judging/expected.ts';
import { jointFormat } from '../../src/judging/joint.ts';
import { ASPECTS } from '../../src/judging/question.ts';
import { ratingsFormat } from '../../src/judging/ratings.ts';
import { judgeCall, type ResponseFormat } from '../../src/judging/response-format.ts';
import { allInstructions } from '../../src/judging/templates.ts';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { startPracticeServer } from '../../src/practice/server.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { readReply } from '../../src/teachers/reply.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';

const { world } = makeQuestionBank(3);
const person = world.people[0] as string;
const town = world.values(person, 'town')[0] as string;
const elsewhere = world.towns.find((name) => name !== town) as string;
const prompt = { prompt_id: 'p1', prompt: `Where does ${person} live?` };
const right = `The home of ${person} is ${town}.`;
const evasive = 'I would rather not say.';
const wrong = `The home of ${person} is ${elsewhere}.`;

/** What the judge step reads from the practice judge's reply, by slot. */
async function judged(
  mode: 'per_aspect' | 'joint' | 'pairwise' | 'expected',
  about: string,
  format: ResponseFormat,
  texts: readonly string[],
) {
  const server = await startPracticeServer({ seed: 3 });
  try {
    const files = join(import.meta.dirname, '../../scripts/train');
    const told = (await allInstructions(files, { mode, aspects: [...ASPECTS], overall: true })).get(about);
    const fields = { teacher: 'j', model: 'practice-judge', temperature: 0, top_p: 1, max_tokens: 1024 };
    const { messages, schema, top_logprobs, sampling } = judgeCall(fields, {
      purpose: 'test',
      instructions: told?.text ?? '',
      prompt,
      texts,
      format,
    });
    const teacher = openTeacher(teacherSpec.parse({ provider: 'practice', model: 'practice-judge', baseUrl: server.url }), 'k');
    const asked = {
      model: 'practice-judge',
      messages,
      ...sampling,
      ...(schema === undefined ? {} : { schema }),
      ...(top_logprobs === undefined ? {} : { top_logprobs }),
      key: 'a'.repeat(64),
    };
    const answer = await teacher.complete(asked, new AbortController().signal);
    assert.ok(answer.ok);
    const read = format.read(readReply(answer.reply.raw, undefined));
    assert.ok(read.ok, JSON.stringify(read));
    return read.found;
  } finally {
    await server.close();
  }
}

test('the practice judge rates in one aspect, side by side', async () => {
  const found = await judged('per_aspect', 'truthfulness', ratingsFormat('truthfulness', 3), [wrong, right, evasive]);
  assert.deepEqual(
    found.map(({ rating }) => rating),
    [1, 5, 3],
  );
});

test('the practice judge marks one answer as a whole, up to 10', async () => {
  assert.equal((await judged('per_aspect', 'overall', ratingsFormat('overall', 1), [right]))[0]?.rating, 10);
  assert.equal((await judged('per_aspect', 'overall', ratingsFormat('overall', 1), [wrong]))[0]?.rating, 1);
});

test('the practice judge rates in all aspects at once', async () => {
  const found = await judged('joint', 'joint', jointFormat(ASPECTS, 2), [evasive, right]);
  assert.deepEqual(
    found.map(({ rating }) => rating),
    [1, 2, 3, 1, 5, 5, 5, 5],
  );
});

test('the practice judge says which of two is better, wherever it stands, or that neither is', async () => {
  const values = async (...texts: string[]) =>
    (await judged('pairwise', 'comparison', comparisonFormat(), texts)).map(({ value }) => value);
  assert.deepEqual(await values(right, wrong), [1, 0]);
  assert.deepEqual(await values(evasive, right), [0, 1]);
  assert.deepEqual(await values(wrong, wrong), [0.5, 0.5]);
});

test('the practice judge writes one digit, and its probabilities lie around it', async () => {
  for (const [text, rating] of [
    [right, 5],
    [evasive, 3],
    [wrong, 1],
  ] as const) {
    const [found] = await judged('expected', 'truthfulness', expectedFormat('truthfulness', 0.5), [text]);
    assert.equal(found?.rating, rating);
    assert.ok(Math.abs((found?.value ?? 0) - rating) < 0.6, `${found?.value}`);
    assert.ok((found?.mass ?? 0) > 0.85);
  }
});
