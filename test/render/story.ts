import type { RunEvent } from '../../src/model/event.ts';
import type { JobEvent } from '../../src/model/job.ts';

const dataset = { type: 'dataset', name: 'acme/demo-sft-data', commit: 'd'.repeat(40) } as const;
const model = { type: 'model', name: 'acme/demo-dsft', commit: 'a1b2c3d4'.repeat(5) } as const;
const handle = {
  backend: 'process',
  host: 'here',
  id: '4711:99',
  place: '/jobs/x',
  labels: { run: 'run-01', stage: 'dsft', step: 'train', epoch: 1 },
  startedAt: '2026-11-22T12:00:00Z',
};

/** Seconds since 1970 at which the story begins: 2026-11-22T12:00:00Z. */
export const START = 1_795_348_800;

const job = (event: JobEvent): RunEvent => ({ type: 'job', stage: 'dsft', step: 'train', event });
const progress = (step: number, t: number, loss?: number): RunEvent =>
  job({ seq: step, t: START + t, type: 'progress', step, max_steps: 200, ...(loss === undefined ? {} : { metrics: { loss } }) });

/** One run of a stage that is half reused, trains, asks a judge and fails: what happens, and when (seconds). */
export const story: readonly { at: number; event: RunEvent }[] = [
  { at: 0, event: { type: 'stage-started', stage: 'dsft', run: 'run-01', resumed: false } },
  { at: 0, event: { type: 'step-reused', stage: 'dsft', step: 'prepare', artifact: dataset, fingerprint: 'f'.repeat(64) } },
  { at: 1, event: { type: 'step-started', stage: 'dsft', step: 'train', fingerprint: '9'.repeat(64) } },
  { at: 1, event: { type: 'job-submitted', stage: 'dsft', step: 'train', handle, resumedFromStep: undefined } },
  { at: 2, event: { type: 'note', stage: 'dsft', step: 'train', message: 'staging 2 inputs with token hf_abcdefgh12345678' } },
  { at: 3, event: job({ seq: 0, t: START + 3, type: 'boot', program: 'dsft', versions: { torch: '2.13.0', trl: '1.13.0' } }) },
  { at: 4, event: progress(0, 4) },
  { at: 10, event: progress(12, 10, 2.5) },
  { at: 20, event: progress(40, 20, 2.1) },
  { at: 30, event: progress(68, 30, 1.7) },
  { at: 31, event: { type: 'checkpoint', stage: 'dsft', step: 'train', at: 60 } },
  { at: 40, event: progress(124, 40, 1.4) },
  { at: 60, event: progress(200, 60, 1.25) },
  {
    at: 62,
    event: {
      type: 'step-done',
      stage: 'dsft',
      step: 'train',
      artifact: model,
      metrics: { train_loss: 1.75, note: 'x' },
      seconds: 61,
    },
  },
  { at: 62, event: { type: 'stage-done', stage: 'dsft', run: 'run-01', artifact: model, reused: false, seconds: 62 } },
  { at: 63, event: { type: 'step-started', stage: 'aif', step: 'judge', fingerprint: '8'.repeat(64) } },
  {
    at: 65,
    event: {
      type: 'calls',
      stage: 'aif',
      step: 'judge',
      progress: {
        done: 20,
        total: 1000,
        failed: 0,
        replayed: 20,
        ahead: 0,
        costUsd: 0,
        spentUsd: 0,
        capUsd: null,
        etaSeconds: null,
        teachers: [],
      },
    },
  },
  {
    at: 75,
    event: {
      type: 'calls',
      stage: 'aif',
      step: 'judge',
      progress: {
        done: 410,
        total: 1000,
        failed: 3,
        replayed: 20,
        ahead: 0,
        costUsd: 0.4123,
        spentUsd: 0.4123,
        capUsd: 2,
        etaSeconds: 15,
        teachers: [
          {
            id: 'judge',
            inFlight: 40,
            ceiling: 64,
            requestsPerMinute: 2340,
            requestLimit: 2500,
            tokensPerMinute: 900_000,
            tokenLimit: 2_000_000,
            busy: 0.004,
            batches: 0,
          },
        ],
      },
    },
  },
  { at: 76, event: { type: 'warning', message: 'the teacher asks to slow down' } },
  {
    at: 80,
    event: {
      type: 'stage-failed',
      stage: 'aif',
      step: 'judge',
      run: 'run-02',
      failure: {
        reason: 'job-failed',
        code: 1,
        message: 'it ended early',
        logTail: ['Traceback', 'KeyError: sk-abcdefgh12345678'],
      },
    },
  },
];
