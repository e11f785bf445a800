import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluationTable, makeReport } from '../../../src/stages/exam/report.ts';

/** As many results of one score. */
const results = (score: number) => Array.from({ length: 20 }, () => ({ kind: 'sum', score, ended: true, tokens: 7 }));

test('the end of a rehearsal shows each model against the one that it was made from, better or worse', () => {
  const report = makeReport({ base: results(0.25), dsft: results(0.75), ddpo: results(0.5) }, 100, 7);
  const { above, rows, below } = evaluationTable(JSON.parse(JSON.stringify(report)));
  assert.match(above, /^20 held-out prompts/);
  assert.deepEqual(rows, [
    ['base', '0.250', '', '', '7', '100 %'],
    ['dSFT', '0.750', '+0.500 [+0.500, +0.500]', '100 % [100 %, 100 %]', '7', '100 %'],
    ['dDPO', '0.500', '-0.250 [-0.250, -0.250]', '0 % [0 %, 0 %]', '7', '100 %'],
  ]);
  assert.match(below, /^gain and wins: against the model above/);
});
