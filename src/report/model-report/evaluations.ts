import { linesFrom, objectIn } from '../../base/ndjson.ts';
import type { Hub } from '../../hub/hub.ts';
import { type ArtifactRef, formatRef } from '../../model/artifact.ts';
import {
  EVALUATION_FILE,
  type Evaluation,
  type EvaluationItem,
  evaluation,
  evaluationItem,
  itemsFile,
} from '../../model/evaluation.ts';
import type { ReportArtifact, ReportEvaluation } from './facts.ts';

/** The evaluations of these models that are the newest of their repos, wherever on the Hub in their namespaces. */
export async function evaluationsOf(hub: Hub, artifacts: readonly ReportArtifact[]): Promise<ReportEvaluation[]> {
  const digests = new Set(artifacts.flatMap(({ manifest }) => manifest?.digest ?? []));
  const namespaces = new Set(artifacts.map(({ ref }) => ref.name.split('/')[0]));
  const repos = (await hub.list()).filter(({ type, name }) => type === 'dataset' && namespaces.has(name.split('/')[0]));
  const found = await Promise.all(
    repos.map(async ({ type, name }) => {
      const commit = await hub.resolve({ type, name, revision: 'main' });
      return commit === undefined ? undefined : await readEvaluation(hub, { type, name, commit }, digests);
    }),
  );
  return found.filter((each) => each !== undefined);
}

async function readEvaluation(hub: Hub, ref: ArtifactRef, digests: ReadonlySet<string>): Promise<ReportEvaluation | undefined> {
  const read = parsed(await hub.read(ref, EVALUATION_FILE));
  if (read === undefined || !digests.has(read.model.digest)) return undefined;
  const items = await Promise.all(
    read.benchmarks.map(async ({ name }) => [name, itemsIn(await hub.read(ref, itemsFile(name)))] as const),
  );
  return { id: formatRef(ref), evaluation: read, items: Object.fromEntries(items) };
}

function parsed(bytes: Uint8Array | undefined): Evaluation | undefined {
  const value = bytes === undefined ? undefined : objectIn(Buffer.from(bytes).toString('utf8'));
  return evaluation.safeParse(value).data;
}

function itemsIn(bytes: Uint8Array | undefined): EvaluationItem[] {
  return linesFrom(bytes ?? new Uint8Array(), 0).flatMap(({ text }) => evaluationItem.safeParse(objectIn(text)).data ?? []);
}
