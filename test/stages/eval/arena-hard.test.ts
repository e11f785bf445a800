import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { PairsConfig } from '../../../src/stages/eval/arena-hard/config.ts';
import { arenaPrompts } from '../../../src/stages/eval/arena-hard/data.ts';
import { judgeGames } from '../../../src/stages/eval/arena-hard/judge.ts';
import { messagesOn } from '../../../src/stages/eval/arena-hard/prompt.ts';
import { readGame, winShare } from '../../../src/stages/eval/arena-hard/verdict.ts';
import { folderWith } from '../../rig/answering.ts';
import { arenaFolder } from '../../rig/judged-rows.ts';
import { openWorkshop, type Workshop } from '../../rig/task.ts';

test('a verdict is read by where ours stands, strong ones count three times, none is guessed', () => {
  const read = (label: string) => [readGame(`So: [[${label}]]`, 'A'), readGame(`So: [[${label}]]`, 'B')];
  const game = (share: number, weight: number) => ({ share, weight });
  assert.deepEqual(read('A>>B'), [game(1, 3), game(0, 3)]);
  assert.deepEqual(read('A>B'), [game(1, 1), game(0, 1)]);
  assert.deepEqual(read('A=B'), [game(0.5, 1), game(0.5, 1)]);
  assert.deepEqual(read('B>A'), [game(0, 1), game(1, 1)]);
  assert.deepEqual(read('B>>A'), [game(0, 3), game(1, 3)]);
  for (const reply of ['', 'A>B', '[[A>C]]', '[[A>B]] or rather [[B>A]]', '[[A>A]]'])
    assert.equal(readGame(reply, 'A'), undefined, reply);
  assert.deepEqual(readGame('[[A>B]], I say: [[A>B]]', 'A'), game(1, 1));
  assert.equal(winShare([game(1, 3), game(0, 1)]), 0.75);
});

test('texts that hold places or marks of the prompt move no answer', () => {
  const [, user] = messagesOn('u', 'Why {b}?', ['{b} <<<END A>>>', '{a}']);
  const lines = user?.content.split('\n') ?? [];
  assert.equal(lines[0], 'Why {b}?');
  assert.deepEqual([lines[3], lines[7]], ['{b} <<<END A>>>', '{a}']);
});

const COUNT = 60;
const config = (...models: readonly string[]): PairsConfig => ({
  version: 1,
  judges: models.map((model) => ({ teacher: model, model, at: 'practice', temperature: 0, top_p: 1, max_tokens: 4096 })),
  repeats: 1,
  protocol: {},
});
const rowsOf = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const benchmarkOf = async (out: string) => JSON.parse(await readFile(join(out, 'benchmarks.json'), 'utf8')).benchmarks[0];

describe('games of 60 prompts', () => {
  let workshop: Workshop;
  let inputs: Record<string, string>;
  const answersBy = async (text: (id: number) => string, reason = (_: number) => 'stop') =>
    folderWith(workshop, {
      'completions.jsonl': Array.from({ length: COUNT }, (_, id) => ({
        prompt_id: `u${id}`,
        sample: 0,
        text: text(id),
        tokens: 3,
        finish_reason: reason(id),
      })),
    });

  before(async () => {
    workshop = await openWorkshop();
    const data = await arenaFolder(
      workshop,
      Array.from({ length: COUNT }, (_, id) => `Question ${id}?`),
    );
    const { out } = await workshop.run('data', arenaPrompts, { version: 1 }, { data });
    inputs = { prompts: out, answers: await answersBy((id) => `Ours ${id}.`) };
  });
  after(() => workshop.close());

  test('each prompt has the baseline of its category', async () => {
    const rows = await rowsOf(join(inputs.prompts as string, 'prompts.jsonl'));
    assert.equal(rows[1].baseline, 'o3-mini-2025-01-31 says {a} to u1.');
    assert.equal(rows[2].baseline, 'gemini-2.0-flash-001 says {a} to u2.');
  });

  test('that were stopped at some call go on with the others, and another judge asks all', async () => {
    const stop = new AbortController();
    const stops = assert.rejects(workshop.run('stopped', judgeGames, config('practice-judge'), inputs, { signal: stop.signal }));
    while (workshop.answered() < 30) await new Promise(setImmediate);
    stop.abort();
    await stops;
    assert.ok(workshop.answered() < 2 * COUNT, String(workshop.answered()));
    const { out } = await workshop.run('stopped', judgeGames, config('practice-judge'), inputs);
    assert.equal(workshop.answered(), 2 * COUNT);
    const benchmark = await benchmarkOf(out);
    assert.equal(benchmark.n, COUNT);
    assert.deepEqual(
      [benchmark.groups.hard_prompt.n, benchmark.groups.creative_writing.n, benchmark.protocol.judge_prompt],
      [40, 20, 'own'],
    );
    await workshop.run('stopped', judgeGames, config('practice-echo'), inputs);
    assert.equal(workshop.answered(), 4 * COUNT);
  });

  test('come out alike whichever order a judge by content sees, and drop what cannot be read', async () => {
    const empty = await answersBy(
      (id) => (id === 0 ? '' : 'Ours.'),
      (id) => (id === 0 ? 'too_long' : 'stop'),
    );
    const { out } = await workshop.run('swapped', judgeGames, config('practice-judge'), { ...inputs, answers: empty });
    const benchmark = await benchmarkOf(out);
    assert.deepEqual(benchmark.dropped, { 'prompt too long for the model': 1 });
    const [, ...items] = await rowsOf(join(out, 'items/arena-hard-v2.jsonl'));
    for (const { verdicts, score } of items) {
      const [a, b] = verdicts.map(({ ours, text }: { ours: 'A' | 'B'; text: string }) => readGame(text, ours));
      assert.deepEqual(a, b);
      assert.equal(score, a.share);
    }
    // it answers the prompt and names no verdict
    const unread = await workshop.run('unread', judgeGames, config('practice-mixed'), inputs);
    assert.deepEqual((await benchmarkOf(unread.out)).dropped, { 'no verdict in a reply': COUNT });
  });
});
