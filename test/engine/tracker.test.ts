import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrackLine } from '../../src/backends/tracking.ts';
import { trackerOf } from '../../src/engine/tracker.ts';
import type { RunEvent } from '../../src/model/event.ts';
import type { JobEvent } from '../../src/model/job.ts';
import { minimalRecipe } from '../recipe/minimal.ts';
import { STAGE_STEPS } from '../rig/stages.ts';

const steps = STAGE_STEPS.ddpo(minimalRecipe());
const run = 'hf://models/local/mini-ddpo@run-01';
const key = 'run-01-train';
const stage = 'ddpo';
const started: RunEvent = { type: 'stage-started', stage, run, resumed: false };
const progress = (step: string, at: number, metrics: Record<string, number>): RunEvent => {
  const event: JobEvent = { type: 'progress', seq: 1, t: 100 + at, step: at, max_steps: 9, metrics };
  return { type: 'job', stage, step, event };
};
const done = (step: string, metrics: Record<string, unknown>): RunEvent => ({
  ...{ type: 'step-done', stage, step, metrics, seconds: 1 },
  artifact: { type: 'model', name: 'a/b', commit: '0'.repeat(40) },
});

function linesOf(...events: RunEvent[]): TrackLine[] {
  const lines: TrackLine[] = [];
  const hear = trackerOf({ project: 'mini', steps }, (line) => lines.push(line));
  for (const event of events) hear(event);
  return lines;
}

describe('What trackers are told of a run', () => {
  it('is a training, by its steps, and at last all that was found of it', () => {
    const lines = linesOf(
      started,
      progress('train', 1, { loss: 0.7 }),
      progress('train', 2, { loss: 0.6 }),
      done('train', { eval_loss: 0.5, attention: 'sdpa', nested: { mean: 1 } }),
    );
    const config = steps.find(({ name }) => name === 'train')?.config;
    assert.deepEqual(lines, [
      { type: 'open', key, project: 'mini', name: 'ddpo/train', group: run, config },
      { type: 'log', key, step: 1, time: 101, metrics: { loss: 0.7 } },
      { type: 'log', key, step: 2, time: 102, metrics: { loss: 0.6 } },
      { type: 'log', key, step: 3, metrics: { 'final/eval_loss': 0.5, 'final/nested/mean': 1 } },
      { type: 'close', key, ok: true },
    ]);
  });

  it('is no progress of other jobs, and nothing of what is used again', () => {
    assert.deepEqual(linesOf(started, progress('prepare', 1, { rows: 3 }), done('prepare', { rows: 3 })), []);
    assert.deepEqual(linesOf(progress('train', 1, { loss: 1 })), [], 'no run was begun');
  });

  it('is the end of a training that failed', () => {
    const failed: RunEvent = {
      ...{ type: 'stage-failed', stage, step: 'train', run },
      failure: { reason: 'lost', message: 'x' },
    };
    assert.deepEqual(linesOf(started, progress('train', 1, { loss: 1 }), failed).at(-1), { type: 'close', key, ok: false });
    assert.deepEqual(linesOf(started, failed), []);
  });
});
