import { estimate } from '../../../src/judging/estimate.ts';
import { type ArtifactRef, formatRef } from '../../../src/model/artifact.ts';
import type { EvaluationItem } from '../../../src/model/evaluation.ts';
import type { RunEvent } from '../../../src/model/event.ts';
import type { Manifest } from '../../../src/model/manifest.ts';
import type {
  ReportArtifact,
  ReportEvaluation,
  ReportFacts,
  ReportLine,
  ReportRun,
} from '../../../src/report/model-report/facts.ts';
import { publishedTurns } from '../../rig/published-items.ts';
import { HOSTILE } from '../artifact.ts';

const hex = (of: string, length: number) => Buffer.from(of).toString('hex').padEnd(length, '0').slice(0, length);
const hostile = HOSTILE.join(' ');
const CATEGORIES = ['writing', 'roleplay', 'reasoning', 'math', 'coding', 'extraction', 'stem', 'humanities'];

interface Made {
  readonly stage: string;
  readonly step: string;
  readonly type?: ArtifactRef['type'];
  readonly inputs?: Readonly<Record<string, ReportArtifact>>;
  readonly metrics?: Readonly<Record<string, unknown>>;
  readonly feedback?: ReportArtifact['feedback'];
}

/** An artifact as a step of the run of its stage would have made it, on Hubs that nobody asks. */
export function artifactOf(
  name: string,
  { stage, step, type = 'dataset', inputs = {}, metrics = {}, feedback }: Made,
): ReportArtifact {
  const ref: ArtifactRef = { type, name: `org/${name}`, commit: hex(name, 40) };
  const minute = 60_000 * (1 + (name.length % 7));
  const manifest: Manifest = {
    version: 1,
    stage,
    step,
    run: `run-${stage}`,
    fingerprint: hex(`f${name}`, 64),
    ingredients: {},
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([as, input]) => [as, { ...input.ref, digest: input.manifest?.digest ?? hex(input.id, 64) }]),
    ),
    digest: hex(name, 64),
    files: [],
    metrics,
    versions: { trl: '1.13.0', torch: '2.13.0' },
    costUsd: stage === 'aif' ? 12.5 : 0,
    attempts: [
      {
        epoch: 1,
        backend: 'process',
        host: 'secret-host',
        startedAt: new Date(0).toISOString(),
        endedAt: new Date(minute).toISOString(),
        end: 'lost',
      },
    ],
    zephyr: '0.1.0',
    createdAt: '2026-12-01T02:00:00.000Z',
  };
  return {
    ref,
    id: formatRef(ref),
    manifest,
    inputs: Object.fromEntries(Object.entries(inputs).map(([as, input]) => [as, input.id])),
    feedback,
  };
}

/** Events of a training of so many logged steps that was resumed at the half, from a quarter. */
export function trainingLines(stage: string, step: string, points: number, preference: boolean): ReportLine[] {
  let seq = 0;
  const progress = (at: number, metrics: Record<string, number>): RunEvent => {
    seq += 1;
    return { type: 'job', stage, step, event: { seq, t: at, type: 'progress', step: at, max_steps: points, metrics } };
  };
  const submitted = (resumedFromStep: number | undefined) =>
    ({ type: 'job-submitted', stage, step, handle: {}, resumedFromStep }) as unknown as RunEvent;
  const metricsAt = (at: number, noise: number) => ({
    loss: 0.7 / (1 + at / 200) + 0.02 * noise,
    learning_rate: 1e-5 * Math.sin((Math.PI * at) / points),
    grad_norm: 1 + noise,
    ...(preference
      ? {
          'rewards/chosen': at / points,
          'rewards/rejected': -at / points,
          'rewards/margins': (2 * at) / points,
          'rewards/accuracies': 0.8,
        }
      : { mean_token_accuracy: 0.7 + (0.2 * at) / points }),
  });
  const half = Math.floor(points / 2);
  const quarter = Math.floor(points / 4);
  const first = Array.from({ length: half }, (_, at) => progress(at + 1, { ...metricsAt(at + 1, 0), loss: 99 }));
  const early = first.slice(0, quarter).map((_, at) => progress(at + 1, metricsAt(at + 1, (at * 7919) % 13)));
  const rest = Array.from({ length: points - quarter }, (_, at) =>
    progress(quarter + at + 1, metricsAt(quarter + at + 1, (at * 7919) % 13)),
  );
  const dropped: RunEvent = {
    type: 'job',
    stage,
    step,
    event: { seq: 0, t: 0, type: 'dropped', input: 'data', split: 'train', read: 1000, reasons: { [hostile]: 7 } },
  };
  const last = progress(points, { eval_loss: 0.31 });
  const events = [submitted(undefined), dropped, ...early, ...first.slice(quarter), submitted(quarter), ...rest, last];
  return events.map((event, at) => ({ at, event }));
}

/** An evaluation whose MT-Bench has the published scores of a model, with a multiple-choice test beside it. */
function evaluationOf(model: ReportArtifact, published: string, skill: number, judge: string): ReportEvaluation {
  const turns = publishedTurns(published).map((item) => ({
    ...item,
    group: CATEGORIES[Math.floor((Number(item.cluster) - 81) / 10)] as string,
  }));
  const choices = Array.from({ length: 400 }, (_, at): EvaluationItem => {
    const score = (at * 37) % 100 < 100 * skill ? 1 : 0;
    return { id: `${at}`, cluster: `${at}`, score };
  });
  const benchmark = (name: string, title: string, items: readonly EvaluationItem[], scale: [number, number]) => {
    const known = estimate(items);
    const groups = Object.fromEntries(
      [...Map.groupBy(items, ({ group }) => group ?? '')].flatMap(([group, members]) =>
        group === ''
          ? []
          : [[group, { value: members.reduce((sum, { score }) => sum + (score ?? 0), 0) / members.length, n: members.length }]],
      ),
    );
    return {
      name,
      title,
      metric: 'score',
      scale,
      value: known?.mean ?? null,
      standardError: null,
      estimate: known,
      n: items.length,
      dropped: { 'no verdict': 2 },
      groups,
      figures: {},
      protocol: { judge, shots: 0, prompt: hostile },
      notes: [`TruthfulQA may be in the training data. ${hostile}`],
    };
  };
  const evaluation = {
    version: 1 as const,
    suite: 'paper',
    model: { ...model.ref, digest: model.manifest?.digest ?? '' },
    benchmarks: [benchmark('mt-bench', 'MT-Bench', turns, [1, 10]), benchmark('arc-challenge', 'ARC challenge', choices, [0, 1])],
  };
  return {
    of: model.id,
    id: `hf://datasets/org/${model.ref.name.split('/')[1]}-eval-paper@${hex(`e${model.ref.name}`, 40)}`,
    evaluation,
    items: { 'mt-bench': turns, 'arc-challenge': choices },
  };
}

const run = (stage: string, lines: readonly ReportLine[]): ReportRun => ({
  run: `run-${stage}`,
  lines,
  recipe: { name: 'sample' },
});

/** A model of three stages with everything that a report can show; every text of others is hostile. */
export function sampleFacts(points: number): ReportFacts {
  const base: ReportArtifact = {
    ref: { type: 'model', name: 'org/base', commit: hex('base', 40) },
    id: `hf://models/org/base@${hex('base', 40)}`,
    manifest: undefined,
    inputs: {},
    feedback: undefined,
  };
  const data = artifactOf('sft-data', {
    stage: 'dsft',
    step: 'prepare',
    inputs: { tokenizer: base },
    metrics: { rows: 207_865 },
  });
  const dsft = artifactOf('zephyr-dsft', {
    stage: 'dsft',
    step: 'train',
    type: 'model',
    inputs: { base, data },
    metrics: { train_loss: 0.94, [hostile]: 1 },
  });
  const pairs = artifactOf('zephyr-aif', {
    stage: 'aif',
    step: 'binarize',
    inputs: { dsft },
    metrics: { pairs: 61_966, dropped: { [hostile]: 12, 'same text': 3 } },
    feedback: {
      ratings: {
        helpfulness: [
          [1, 5],
          [3, 20],
          [5, 70],
        ],
        [hostile]: [[1, 9]],
      },
      margins: {
        step: 0.25,
        mean: 1.4,
        histogram: [
          [0.25, 10],
          [1.5, 40],
          [4, 3],
        ],
      },
      models: [{ model: hostile, answers: 90, chosen: 40, rejected: 20 }],
    },
  });
  const ddpo = artifactOf('zephyr-ddpo', {
    stage: 'ddpo',
    step: 'train',
    type: 'model',
    inputs: { model: dsft, pairs },
    metrics: { train_loss: 0.4, 'eval_rewards/margins': 1.2, 'eval_rewards/accuracies': 0.77, eval_loss: 0.5 },
  });
  const noted: ReportLine = { at: 1, event: { type: 'note', stage: 'aif', step: 'binarize', message: hostile, lasting: true } };
  return {
    subject: ddpo,
    artifacts: [base, data, dsft, pairs, ddpo],
    runs: [
      run('dsft', trainingLines('dsft', 'train', points, false)),
      run('aif', [noted]),
      run('ddpo', trainingLines('ddpo', 'train', points, true)),
    ],
    evaluations: [evaluationOf(dsft, 'mistral-orpo-mix', 0.58, 'gpt-4'), evaluationOf(ddpo, 'mistral-orpo-trl', 0.63, 'gpt-4')],
    checks: [
      { of: ddpo.id, name: 'reward accuracy', value: '0.77', expected: '0.70 to 0.80', ok: true, meaning: '' },
      { of: ddpo.id, name: 'loss at the end', value: '0.1', expected: '0.3 to 0.6', ok: false, meaning: hostile },
    ],
    contamination: [{ benchmark: 'mt-bench', title: 'MT-Bench', status: 'known', text: hostile }],
    zephyr: '0.1.0',
    at: '2026-12-01T03:00:00.000Z',
  };
}
