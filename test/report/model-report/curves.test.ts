import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trainingCurves } from '../../../src/report/model-report/curves.ts';
import { leftOutOf } from '../../../src/report/model-report/left-out.ts';
import { artifactOf, sampleFacts, trainingLines } from './sample.ts';

const model = artifactOf('model', { stage: 'train', step: 'fit', type: 'model' });
const curvesOf = (lines: ReturnType<typeof trainingLines>) =>
  trainingCurves({ artifacts: [model], runs: [{ run: 'run-train', lines, recipe: {} }] });

test('a resumed attempt takes back what was told of later steps, and is marked where it went on', () => {
  const [training] = curvesOf(trainingLines('train', 'fit', 100, true));
  const loss = training?.panels[0]?.curves[0]?.points ?? [];
  assert.deepEqual(training?.resumes, [25]);
  assert.deepEqual(
    loss.map(([at]) => at),
    Array.from({ length: 100 }, (_, at) => at + 1),
  );
  // the first attempt told 99 from step 26 to 50
  assert.ok(loss.every(([, value]) => value < 2));
});

test('an attempt that begins again leaves nothing of the one before', () => {
  const lines = trainingLines('train', 'fit', 40, false).map((line) =>
    line.event.type === 'job-submitted' ? { ...line, event: { ...line.event, resumedFromStep: undefined } } : line,
  );
  const [training] = curvesOf(lines);
  assert.deepEqual(training?.resumes, [0]);
  assert.equal(training?.panels[0]?.curves[0]?.points[0]?.[0], 11);
});

test('values that are no numbers leave a gap, and a step without a loss is no training', () => {
  const lines = trainingLines('train', 'fit', 20, false).map((line) => {
    if (line.event.type !== 'job' || line.event.event.type !== 'progress' || line.event.event.step !== 12) return line;
    const event = { ...line.event.event, metrics: { loss: null as unknown as number, learning_rate: Number.NaN } };
    return { ...line, event: { ...line.event, event } };
  });
  const points = curvesOf(lines)[0]
    ?.panels.flatMap(({ curves }) => curves)
    .find(({ metric }) => metric === 'loss')?.points;
  assert.ok(points?.some(([at]) => at === 11) && points.every(([at]) => at !== 12));
  const rows = lines.flatMap((line) => (line.event.type === 'job-submitted' ? [line] : []));
  assert.deepEqual(curvesOf(rows), []);
});

test('what was left out is told by the log with how many there were, else by the manifest, else by the evaluation', () => {
  const left = leftOutOf(sampleFacts(8));
  const found = left.map(({ stage, count, read }) => [stage, count, read]);
  assert.deepEqual(found.slice(0, 4), [
    ['dsft', 7, 1000],
    ['aif', 12, null],
    ['aif', 3, null],
    ['ddpo', 7, 1000],
  ]);
  assert.ok(left.slice(4).every(({ stage, reason }) => stage === 'paper' && reason === 'no verdict'));
});
