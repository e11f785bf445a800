import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../../src/base/sha256.ts';
import { type EvaluationItem, evaluation } from '../../../src/model/evaluation.ts';
import { results } from '../../../src/stages/eval/results.ts';
import { writeScored } from '../../../src/stages/eval/scored.ts';
import { resultsTable } from '../../../src/stages/eval/table.ts';
import { folderWith } from '../../rig/answering.ts';
import { openWorkshop } from '../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});

const MODEL = {
  ref: { type: 'model', name: 'local/mini-ddpo', commit: '0123456789abcdef0123456789abcdef01234567' },
  digest: sha256('weights'),
} as const;
const item = (id: string, score: number | null, more: object = {}): EvaluationItem => ({ id, cluster: id, score, ...more });
const quiz = { name: 'quiz', title: 'Quiz', metric: 'acc', scale: [0, 1] as [number, number], protocol: { shots: 0 }, notes: [] };

async function scoredFolder(items: readonly EvaluationItem[], name = 'quiz'): Promise<string> {
  const folder = await folderWith(shop, {});
  await writeScored(folder, [{ benchmark: { ...quiz, name }, items }]);
  return folder;
}
const joined = (inputs: Record<string, string>) =>
  shop.run('results', results, { version: 1, suite: 'smoke', seed: 42 }, inputs, { artifacts: { model: MODEL } });

describe('The results of an evaluation', () => {
  it('say of each benchmark its value, its interval over clusters, its groups, and what was dropped and why', async () => {
    const items = [
      item('a', 1, { cluster: 'x', group: 'easy' }),
      item('b', 1, { cluster: 'x', group: 'easy' }),
      item('c', 0, { cluster: 'y', group: 'hard' }),
      item('d', null, { dropped: 'empty answer', group: 'hard' }),
    ];
    const { out, metrics } = await joined({ part: await scoredFolder(items) });
    const found = evaluation.parse(JSON.parse(await readFile(join(out, 'evaluation.json'), 'utf8')));
    assert.deepEqual(found.model, { ...MODEL.ref, digest: MODEL.digest });
    const [benchmark] = found.benchmarks;
    assert.equal(benchmark?.value, 2 / 3);
    assert.equal(benchmark?.estimate?.clusters, 2);
    assert.deepEqual(benchmark?.groups, { easy: { value: 1, n: 2 }, hard: { value: 0, n: 1 } });
    assert.deepEqual(benchmark?.dropped, { 'empty answer': 1 });
    const lines = (await readFile(join(out, 'items/quiz.jsonl'), 'utf8')).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      items,
    );
    const { columns, rows, below } = resultsTable(metrics);
    assert.equal(below, 'dropped: items without a score, in no value\n  Quiz: 1 for "empty answer"');
    assert.deepEqual(
      columns.map(({ title }) => title),
      ['benchmark', 'metric', 'value', '95 %', 'items', 'dropped'],
    );
    assert.deepEqual(rows[0]?.slice(0, 3), ['Quiz', 'acc', '66.7 %']);
    const card = await readFile(join(out, 'README.md'), 'utf8');
    assert.match(card, /\| Quiz \| acc \| 66\.7 % \|/);
    assert.match(card, /- shots: `0`/);
  });

  it('show nothing of an interval where one cluster is all there is', async () => {
    const { metrics } = await joined({ part: await scoredFolder([item('a', 1)]) });
    assert.deepEqual(resultsTable(metrics).rows, [['Quiz', 'acc', '100.0 %', '', '1']]);
  });

  it('refuse a folder that counts otherwise than its items, and two that score the same', async () => {
    const folder = await scoredFolder([item('a', 1), item('b', 0)]);
    await assert.rejects(joined({ one: folder, two: folder }), /two of them score "quiz"/);
    await assert.rejects(joined({ part: await scoredFolder([item('a', 1), item('a', 0)]) }), /two of its items have the same id/);
    await assert.rejects(joined({ part: await scoredFolder([item('a', 2)]) }), /a score of 2 is outside of \[0, 1\]/);
  });
});
