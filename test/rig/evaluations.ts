import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '../../src/base/canonical-json.ts';
import { sha256 } from '../../src/base/sha256.ts';
import { publish } from '../../src/engine/publish.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { estimate } from '../../src/judging/estimate.ts';
import type { ArtifactRef } from '../../src/model/artifact.ts';
import { EVALUATION_FILE, type Evaluation, type EvaluationItem, itemsFile } from '../../src/model/evaluation.ts';
import type { Artifact } from '../../src/model/outcome.ts';

type Benchmark = Evaluation['benchmarks'][number];

/** A benchmark by its items; what is not said is the same for all. */
export type Measured = Partial<Benchmark> & { readonly name: string; readonly items: readonly EvaluationItem[] };

let published = 0;

/** What a manifest says beside its files. */
export interface Told {
  readonly inputs?: Readonly<Record<string, Artifact>>;
  readonly config?: Json;
  readonly metrics?: Readonly<Record<string, unknown>>;
}

/** Publishes files as the step of a stage does. */
export async function publishFiles(
  hub: Hub,
  repo: Pick<ArtifactRef, 'type' | 'name'>,
  [stage, step]: readonly [string, string],
  files: Readonly<Record<string, string>>,
  { inputs = {}, config = {}, metrics = {} }: Told = {},
): Promise<Artifact> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-made-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  published += 1;
  const at = published;
  const engine = {
    hub,
    emit: () => undefined,
    signal: new AbortController().signal,
    // each is newer than the one before
    now: () => new Date(Date.UTC(2026, 0, 1, 0, at)),
    version: '0.0.0',
  };
  const { artifact } = await publish(engine, {
    step: {
      stage,
      name: step,
      summary: 'made by a test',
      inputs: {},
      config: {},
      files: [],
      output: repo,
      work: { kind: 'task', task: step },
    },
    run: `run-${String(at).padStart(26, '0')}`,
    fingerprint: sha256(`${repo.name} ${at}`),
    ingredients: { version: 'zephyr-fingerprint/1', stage, step, inputs: {}, config, files: {} },
    inputs,
    folder,
    metrics,
    versions: {},
    costUsd: 0,
    attempts: [],
  });
  return artifact;
}

/** A model of a few bytes, which are its own. */
export async function publishModel(
  hub: Hub,
  name: string,
  told: Told = {},
  step: readonly [string, string] = ['dsft', 'train'],
): Promise<Artifact> {
  return await publishFiles(hub, { type: 'model', name }, step, { 'config.json': `{"name": "${name}"}\n` }, told);
}

/** What `zephyr eval` leaves of a model. */
export async function publishEvaluation(
  hub: Hub,
  { ref, digest }: Artifact,
  measured: readonly Measured[],
  suite = 'smoke',
): Promise<ArtifactRef> {
  const benchmarks = measured.map(({ items, ...said }): Benchmark => {
    const scores = items.flatMap(({ score }) => score ?? []);
    const found = estimate(items);
    return {
      title: said.name,
      metric: 'acc',
      scale: [0, 1],
      value: scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length,
      standardError: null,
      n: scores.length,
      dropped: scores.length < items.length ? { unread: items.length - scores.length } : {},
      groups: {},
      figures: {},
      protocol: { shots: 0 },
      notes: [],
      estimate: found,
      ...said,
    };
  });
  const evaluation: Evaluation = { version: 1, suite, model: { ...ref, digest }, benchmarks };
  const made = await publishFiles(hub, { type: 'dataset', name: `${ref.name}-eval-${suite}` }, ['eval', 'results'], {
    [EVALUATION_FILE]: JSON.stringify(evaluation),
    ...Object.fromEntries(
      measured.map(({ name, items }) => [itemsFile(name), items.map((item) => `${JSON.stringify(item)}\n`).join('')]),
    ),
  });
  return made.ref;
}
