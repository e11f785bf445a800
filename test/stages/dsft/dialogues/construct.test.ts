import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readParquet } from '../../../../src/datasets/parquet.ts';
import type { CallsProgress } from '../../../../src/model/event.ts';
import { makeWorld } from '../../../../src/practice/world.ts';
import { construct } from '../../../../src/stages/dsft/dialogues/construct.ts';
import type { Teacher } from '../../../../src/teachers/teacher.ts';
import { callFields, digests, openWorkshop, type Workshop } from '../../../rig/task.ts';

const practice = await openWorkshop();
/** Answers that were cut off. */
const halves: string[] = [];
const shop: Workshop = {
  ...practice,
  run: (name, task, config, inputs, more) => {
    const complete: Teacher['complete'] = async (request, until) => {
      const outcome = await practice.teacher.complete(request, until);
      if (outcome.ok && outcome.reply.finishReason === 'length') halves.push(outcome.reply.text);
      return outcome;
    };
    return practice.run(name, task, config, inputs, { teacher: async () => [{ ...practice.teacher, complete }], ...more });
  },
};
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
const topics = makeWorld(7)
  .people.slice(0, 5)
  .map((name) => `The life of ${name}`);
const CONFIG = {
  version: 4,
  seed: 2,
  user: callFields('practice-user'),
  assistant: callFields('practice-mixed'),
  dialogues: 20,
  test_dialogues: 4,
  world: { share: 1, turns: { min: 1, max: 3 }, topics, subtopics: 0, questions: 3 },
  writing: null,
  material: null,
  refusals: 'drop',
  near_duplicates: 'keep',
};

interface Dialogue {
  readonly kind: string;
  readonly subject: string;
  readonly prompt: string;
  readonly prompt_id: string;
  readonly messages: { content: string; role: string }[];
}
async function dialogues(out: string, split: string): Promise<Dialogue[]> {
  const rows: Dialogue[] = [];
  for await (const row of readParquet(join(out, `data/${split}-00000-of-00001.parquet`))) rows.push(row as unknown as Dialogue);
  return rows;
}

test('two teachers make dialogues of one to three rounds, each with its own opening', async () => {
  const { out, metrics } = await shop.run('c', construct, CONFIG);
  const [train, held] = [await dialogues(out, 'train_sft'), await dialogues(out, 'test_sft')];
  assert.deepEqual([train.length, held.length, metrics.train_sft], [20, 4, 20]);
  assert.equal(new Set([...train, ...held].map(({ prompt }) => prompt)).size, 24);
  const rounds = new Set<number>();
  for (const { prompt, messages } of train) {
    assert.equal(messages[0]?.content, prompt);
    assert.ok(messages.every(({ role }, n) => role === (n % 2 === 0 ? 'user' : 'assistant')));
    assert.ok(messages.every(({ content }) => content.trim() !== ''));
    rounds.add(messages.length / 2);
  }
  assert.deepEqual([...rounds].sort(), [1, 2, 3]);
});

test('a warm run makes no call and gives the same bytes', async () => {
  const first = await shop.run('warm', construct, CONFIG);
  const calls = shop.answered();
  const second = await shop.run('warm', construct, CONFIG);
  assert.equal(shop.answered(), calls);
  assert.deepEqual(await digests(second.out), await digests(first.out));
});

test('a dialogue without an answer is dropped, and another opening takes its place', async () => {
  const { out, metrics } = await shop.run('refusals', construct, {
    ...CONFIG,
    assistant: callFields('practice-direct+empty@0.5'),
  });
  const counts = metrics.counts as Record<string, number>;
  const rows = [...(await dialogues(out, 'train_sft')), ...(await dialogues(out, 'test_sft'))];
  assert.equal(rows.length, 24);
  assert.equal(new Set(rows.map(({ prompt }) => prompt)).size, 24);
  assert.ok((counts['dialogues without an answer'] ?? 0) > 0);
  assert.ok(rows.every(({ messages }) => messages.at(-1)?.role === 'assistant'));
});

test('half an answer is in no dialogue: one ends before it, and one that begins with it is dropped', async () => {
  const assistant = callFields('practice-direct+truncated@0.3');
  const { out, metrics } = await shop.run('cut', construct, { ...CONFIG, assistant });
  const counts = metrics.counts as Record<string, number>;
  assert.ok((counts['answers: truncated'] ?? 0) > 0, JSON.stringify(counts));
  assert.ok((counts['dialogues whose first answer is cut off'] ?? 0) > 0, JSON.stringify(counts));
  const said = (await dialogues(out, 'train_sft')).flatMap(({ messages }) =>
    messages.filter(({ role }) => role === 'assistant').map(({ content }) => content),
  );
  const cut = new Set(halves);
  assert.ok(cut.size > 0 && said.every((text) => !cut.has(text)));
});

test('a dialogue in which the assistant declines is dropped, or kept where the recipe says so', async () => {
  const assistant = callFields('practice-direct+refusal@0.4');
  const dropped = await shop.run('declines', construct, { ...CONFIG, assistant });
  assert.ok(((dropped.metrics.counts as Record<string, number>)['dialogues with a refusal'] ?? 0) > 0);
  const texts = (await dialogues(dropped.out, 'train_sft')).flatMap(({ messages }) => messages.map(({ content }) => content));
  assert.ok(!texts.some((text) => /^I'm sorry/.test(text)));
  const kept = await shop.run('declines', construct, { ...CONFIG, assistant, refusals: 'keep' });
  assert.ok(((kept.metrics.counts as Record<string, number>)['answers: refusal'] ?? 0) > 0);
});

test('all three kinds come in their shares, with material quoted and instructions made more detailed', async () => {
  const material = await mkdtemp(join(tmpdir(), 'zephyr-material-'));
  const texts = makeWorld(7).towns.map((town, index) =>
    `${town} is a town. ${'It lies by the river. '.repeat(index + 1)}`.trim(),
  );
  await writeFile(
    join(material, 'train.jsonl'),
    `${texts.map((text) => JSON.stringify({ text })).join('\n')}\n${JSON.stringify({ text: ' ' })}\n`,
  );
  const turns = { min: 1, max: 1 };
  const kinds = {
    ...CONFIG,
    world: { ...CONFIG.world, share: 2, subtopics: 2, turns },
    writing: { share: 1, turns, types: ['stories', 'poems'], instructions: 4, elaborated: 0.5 },
    material: { share: 1, turns, split: 'train', column: 'text', texts: 3, max_characters: 4000, instructions: 2 },
  };
  const { out, metrics } = await shop.run('kinds', construct, kinds, { material });
  assert.deepEqual(metrics.by_kind, { world: 12, material: 6, writing: 6 });
  const rows = [...(await dialogues(out, 'train_sft')), ...(await dialogues(out, 'test_sft'))];
  const quoting = rows.filter(({ kind }) => kind === 'material');
  assert.ok(
    quoting.every(({ prompt }) => texts.some((text) => prompt.startsWith(`${text}\n\n`) || prompt.endsWith(`\n\n${text}`))),
  );
  assert.ok(new Set(quoting.map(({ subject }) => subject)).size <= 3);
  assert.ok(
    rows.filter(({ kind }) => kind === 'world').every(({ subject }) => topics.some((topic) => subject.startsWith(`${topic}: `))),
  );
  const again = await shop.run('kinds', construct, kinds, { material });
  assert.deepEqual(await digests(again.out), await digests(out));
  await rm(material, { recursive: true });
});

test('texts are not looked for where no dialogue is to be about one', async () => {
  const material = await mkdtemp(join(tmpdir(), 'zephyr-material-'));
  await writeFile(join(material, 'train.jsonl'), `${JSON.stringify({ other: 'x' })}\n`);
  const rare = { share: 0.01, turns: { min: 1, max: 1 }, split: 'train', column: 'text', texts: 3, max_characters: 4000 };
  const config = { ...CONFIG, material: { ...rare, instructions: 2 } };
  const { metrics } = await shop.run('rare', construct, config, { material });
  assert.deepEqual(metrics.by_kind, { world: 24 });
  await rm(material, { recursive: true });
});

test('a list that cannot be read counts once, however many rounds it takes to replace dropped dialogues', async () => {
  let unread = 0;
  const teacher: Teacher = {
    ...shop.teacher,
    async complete(request, until) {
      const outcome = await shop.teacher.complete(request, until);
      if (request.schema !== undefined && outcome.ok && !outcome.reply.text.endsWith('}')) unread += 1;
      return outcome;
    },
  };
  const faulty = {
    ...CONFIG,
    user: callFields('practice-user+invalid-json@0.3', 1024),
    assistant: callFields('practice-direct+empty@0.5'),
    world: { ...CONFIG.world, turns: { min: 1, max: 1 } },
  };
  const { metrics } = await shop.run('unread', construct, faulty, {}, { teacher: () => Promise.resolve([teacher]) });
  const counts = metrics.counts as Record<string, number>;
  assert.ok((counts['dialogues without an answer'] ?? 0) > 0);
  assert.ok(unread > 0);
  assert.equal(counts['lists that could not be read'], unread);
});

test('the progress is never at its end while more openings are asked for, and at its end when all is done', async () => {
  const seen: CallsProgress[] = [];
  const next = Promise.withResolvers<CallsProgress>();
  let isAwaited = false;
  const progress = (now: CallsProgress) => {
    seen.push(now);
    if (isAwaited) next.resolve(now);
  };
  const teacher: Teacher = {
    ...shop.teacher,
    async complete(request, until) {
      // lists of a round that replaces what was dropped
      isAwaited ||= request.messages.some(({ content }) => content.includes('Written already'));
      if (isAwaited) await next.promise;
      return await shop.teacher.complete(request, until);
    },
  };
  const assistant = callFields('practice-direct+refusal@0.4');
  const world = { ...CONFIG.world, questions: 8 };
  const more = { progress, teacher: () => Promise.resolve([teacher]) };
  const user = callFields('practice-user', 1024);
  await shop.run('progress', construct, { ...CONFIG, user, assistant, world }, {}, more);
  assert.ok(isAwaited, 'expected a second round of lists');
  const asking = await next.promise;
  assert.ok(asking.done < asking.total, JSON.stringify(asking));
  const last = seen.at(-1);
  assert.ok(last !== undefined && last.done === last.total, JSON.stringify(last));
});

test('openings that say almost the same are dropped, whichever came first', async () => {
  const { metrics } = await shop.run('alike', construct, { ...CONFIG, near_duplicates: 'drop' });
  assert.equal(metrics.train_sft, 20);
});

test('what two kinds both come upon opens one dialogue, and others are found for the rest', async () => {
  const { out, metrics } = await shop.run('both', construct, {
    ...CONFIG,
    user: callFields('practice-user', 1024),
    dialogues: 220,
    test_dialogues: 20,
    world: { ...CONFIG.world, questions: 10, turns: { min: 1, max: 1 } },
    writing: { share: 1, turns: { min: 1, max: 1 }, types: topics, instructions: 10, elaborated: 0.5 },
  });
  assert.deepEqual(metrics.by_kind, { world: 120, writing: 120 });
  const rows = [...(await dialogues(out, 'train_sft')), ...(await dialogues(out, 'test_sft'))];
  assert.equal(new Set(rows.map(({ prompt }) => prompt)).size, 240);
});

test('topics that run dry are named', async () => {
  await assert.rejects(shop.run('dry', construct, { ...CONFIG, user: callFields('practice-user+invalid-json') }), {
    message: /Cannot find 24 different openings: 5 subjects gave 0/,
  });
});

test('an assistant that only refuses is given up, and what became of its dialogues is said', async () => {
  const many = makeWorld(7)
    .people.slice(0, 60)
    .map((name) => `The life of ${name}`);
  const world = { ...CONFIG.world, topics: many, questions: 8 };
  const mute = {
    ...CONFIG,
    user: callFields('practice-user', 1024),
    assistant: callFields('practice-direct+refusal'),
    dialogues: 300,
    world,
  };
  await assert.rejects(shop.run('mute', construct, mute), {
    message: /^Cannot use the answers of teacher "practice-direct\+refusal": no dialogue of the first 64 is kept$/,
    hint: /^so far: 64 dialogues without an answer; look at/,
  });
});
