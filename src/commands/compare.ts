import { EXIT, ZephyrError } from '../errors.ts';
import { compareSides, type Side } from '../evaluations/compare.ts';
import { evaluationsOf, readEvaluation } from '../evaluations/read.ts';
import { beside, differencesTable, notCompared, valuesTable } from '../evaluations/wording.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { wrap } from '../render/text-width.ts';
import { type Options, openQuietContext } from './context.ts';
import { printTable } from './output.ts';
import { findArtifact } from './read-id.ts';
import { setDocument } from './verdict.ts';

/** What is compared, as the user named it. */
interface Named extends Side {
  readonly id: string;
  readonly ref: ArtifactRef;
}

const MOST = 26;

/** `zephyr compare ID ID ...`: models, or single evaluations of them, item by item. */
export async function compare(ids: string[], options: Options): Promise<number> {
  if (ids.length < 2 || ids.length > MOST)
    throw new ZephyrError(`Cannot compare ${ids.length} of them: expected from 2 to ${MOST} IDs of models or evaluations`, {
      hint: 'zephyr compare ID ID; zephyr hub ls lists what is there',
    });
  await using context = await openQuietContext(options);
  const sides: Named[] = [];
  for (const [index, id] of ids.entries()) sides.push(await sideOf(context.hub, id, String.fromCharCode(65 + index)));
  refuseTwice(sides);
  const benchmarks = await compareSides(context.hub, sides);
  const labels = sides.map(({ label }) => label);
  const notes = [...sameWeights(sides), ...beside(benchmarks, labels)];
  if (options.json === true) {
    const told = sides.map(({ label, ref, evaluations }) => ({
      label,
      id: formatRef(ref),
      evaluations: evaluations.map((one) => formatRef(one.ref)),
    }));
    const compared = benchmarks.map(({ values, ...rest }) => ({
      ...rest,
      values: values.map((one) => (one === undefined ? null : { ...one, from: formatRef(one.from.ref) })),
    }));
    setDocument(
      told.map(({ id }) => id),
      { sides: told, benchmarks: compared, notes },
    );
    return EXIT.done;
  }
  for (const { label, ref } of sides) process.stdout.write(`${label}  ${formatRef(ref)}\n`);
  await show(benchmarks, labels, notes);
  return EXIT.done;
}

async function sideOf(hub: Hub, id: string, label: string): Promise<Named> {
  const ref = await findArtifact(hub, id);
  if (ref.type === 'dataset') {
    const kept = await readEvaluation(hub, ref);
    if (kept !== undefined) return { label, id, ref, evaluations: [kept] };
    throw new ZephyrError(`Cannot compare "${id}": the dataset is no evaluation, it has no evaluation.json`, {
      hint: 'name models, or what zephyr eval printed',
    });
  }
  const evaluations = await evaluationsOf(hub, { ref, digest: (await readManifest(hub, ref))?.digest });
  if (evaluations.length === 0)
    throw new ZephyrError(`Cannot compare "${id}": there is no evaluation of it on ${hub.name}`, {
      exit: 'preflight',
      hint: `make one: zephyr eval ${formatRef(ref)} --suite smoke`,
    });
  return { label, id, ref, evaluations };
}

/** One evaluation on both sides differs by nothing, which would look as if two models did. */
function refuseTwice(sides: readonly Named[]): void {
  const seen = new Map<string, string>();
  for (const { id, evaluations } of sides)
    for (const { ref } of evaluations) {
      const before = seen.get(formatRef(ref));
      if (before !== undefined)
        throw new ZephyrError(`Cannot compare "${before}" with "${id}": both have the evaluation ${formatRef(ref)}`, {
          hint: 'name two models of different weights, or two evaluations',
        });
      seen.set(formatRef(ref), id);
    }
}

/** Two evaluations of the same weights show what measuring again is worth. */
function sameWeights(sides: readonly Named[]): string[] {
  const byWeights = Map.groupBy(sides, ({ evaluations }) => evaluations[0]?.evaluation.model.digest);
  return [...byWeights.values()]
    .filter((same) => same.length > 1)
    .map((same) => `${same.map(({ label }) => label).join(' and ')} are one model: what differs comes of the measuring`);
}

async function show(benchmarks: Awaited<ReturnType<typeof compareSides>>, labels: readonly string[], notes: readonly string[]) {
  const values = valuesTable(benchmarks, labels);
  process.stdout.write('\n');
  await printTable(values.columns, values.rows);
  process.stdout.write('±: half of the 95 % interval\n');
  const differences = differencesTable(benchmarks, labels);
  if (differences.rows.length > 0) {
    process.stdout.write('\n');
    await printTable(differences.columns, differences.rows);
    paragraph(
      `paired item by item; of shares in points of percent. p: by random signs, after Holm over the ${differences.rows.length} shown. detects: the least true difference that would show in 4 of 5 repetitions`,
    );
  } else process.stdout.write('\nnothing can be subtracted\n');
  const refused = notCompared(benchmarks, labels);
  if (refused.length > 0) process.stdout.write('\nnot compared, as measured otherwise:\n');
  for (const text of refused) paragraph(text, '  ');
  if (notes.length > 0) process.stdout.write('\n');
  for (const text of notes) paragraph(text);
}

/** Prose, at most 80 columns wide. */
function paragraph(text: string, indent = ''): void {
  for (const line of wrap(text, 80 - indent.length)) process.stdout.write(`${indent}${line}\n`);
}
