import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Made } from '../../src/engine/publish.ts';
import type { PlannedStep } from '../../src/plan/plan.ts';

/** What a step has made, ready to be published: one file. */
export async function madeOf(step: PlannedStep): Promise<Made> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-made-'));
  await writeFile(join(folder, 'rows.jsonl'), '{"text": "one"}\n');
  const { ingredients, fingerprint } = step;
  if (ingredients === undefined || fingerprint === undefined) throw new Error('Cannot publish a step whose inputs are unknown');
  return {
    step,
    run: 'run-01arz3ndektsv4rrffq69g5fav',
    fingerprint,
    ingredients,
    inputs: {},
    folder,
    metrics: {},
    versions: {},
    costUsd: 0,
    attempts: [],
  };
}
