import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CallsProgress } from '../../../../src/model/event.ts';
import { judge } from '../../../../src/stages/aif/judge/judge.ts';
import { prefetchJudge } from '../../../../src/stages/aif/judge/prefetch.ts';
import type { Teacher } from '../../../../src/teachers/teacher.ts';
import { type Workshop, withShop } from '../../../rig/task.ts';
import { answered, judging, practicePairs } from './answered.ts';

const MODES = ['per_aspect', 'joint', 'pairwise', 'expected'] as const;
const FILES = join(import.meta.dirname, '../../../../scripts/train');

const labelled = async (shop: Workshop, name: string, pairs: readonly unknown[]) => {
  const folder = join(shop.folder, name);
  await mkdir(folder);
  await writeFile(join(folder, 'train.jsonl'), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
  return folder;
};
const GATE = { split: 'train', min_agreement: 0.7, min_kappa: 0.4 };

for (const mode of MODES) {
  test(`a judge in mode ${mode} that agrees with people goes on to judge, and the agreement is told`, () =>
    withShop(async (shop) => {
      const { out } = await answered(shop.folder, 2);
      const pairs = practicePairs(20);
      const calibration = await labelled(shop, 'labels', [
        ...pairs.slice(0, 18),
        // two labels that no judge can agree with, as conversations
        ...pairs.slice(18).map(({ prompt, chosen, rejected }) => {
          const turns = (content: string) => [{ role: 'user', content: prompt }, { role: 'assistant', content }]; // biome-ignore format: one line
          return { chosen: turns(rejected), rejected: turns(chosen) };
        }),
      ]);
      const judged = await shop.run('judge', judge, judging({ mode, calibration: GATE }), { completions: out, calibration });
      const found = judged.metrics.calibration as { pairs: number; read: number; ties: number; agreement: { value: number; low: number }; kappa: { value: number } }; // biome-ignore format: one type
      assert.deepEqual([found.pairs, found.read, found.ties, found.agreement.value], [20, 20, 0, 0.9]);
      assert.ok(found.agreement.low < 0.9 && found.kappa.value > 0.7 && found.kappa.value < 0.9);
      assert.match(judged.notes.join('\n'), /^The judge agrees with 90 % of 20 human labels, kappa 0\.\d\d$/m);
      const warm = shop.answered();
      await shop.run('judge', judge, judging({ mode, calibration: GATE }), { completions: out, calibration });
      assert.equal(shop.answered(), warm);
    }));
}

test('the progress of a calibration counts what is judged after it as well', () =>
  withShop(async (shop) => {
    const { out } = await answered(shop.folder, 2);
    const calibration = await labelled(shop, 'labels', practicePairs(5));
    const totals: number[] = [];
    const told = Promise.withResolvers<void>();
    const teacher: Teacher = {
      ...shop.teacher,
      async complete(request, until) {
        await told.promise;
        return await shop.teacher.complete(request, until);
      },
    };
    const progress = ({ total }: CallsProgress) => {
      totals.push(total);
      told.resolve();
    };
    const config = judging({ mode: 'joint', permutations: 1, calibration: GATE });
    const more = { progress, teacher: () => Promise.resolve([teacher]) };
    await shop.run('judge', judge, config, { completions: out, calibration }, more);
    assert.deepEqual(new Set(totals), new Set([5 + 2]));
  }));

test('a judge that does not agree with people stops the step before an answer is judged, or asked about in advance', () =>
  withShop(async (shop) => {
    const { out, completions } = await answered(shop.folder, 10);
    const pairs = practicePairs(12).map(({ prompt, chosen, rejected }) => ({ prompt, chosen: rejected, rejected: chosen }));
    const calibration = await labelled(shop, 'labels', pairs);
    const config = judging({ mode: 'joint', calibration: GATE });
    const askAhead = await prefetchJudge(config, FILES);
    await askAhead(completions.slice(0, 3), undefined as never);
    await assert.rejects(shop.run('judge', judge, config, { completions: out, calibration }), {
      exit: 'usage',
      message: /Cannot trust the judge "practice-judge": expected agreement with 12 human labels of at least 0.7, got 0.00/,
      hint: /no answer was judged yet/,
    });
    assert.equal(shop.answered(), 12 * 2);
    const faulty = await labelled(shop, 'faulty', [...pairs, { prompt: 'p', chosen: 'same', rejected: 'same' }]);
    await assert.rejects(shop.run('judge', judge, config, { completions: out, calibration: faulty }), {
      exit: 'usage',
      message: /Cannot calibrate with row 13 of "train"/,
    });
  }));
