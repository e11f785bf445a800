import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import {
  EVALUATION_FILE,
  type Evaluation,
  type EvaluationItem,
  evaluation,
  evaluationItem,
  itemsFile,
} from '../model/evaluation.ts';

/** An evaluation as it lies on a Hub. */
export interface KeptEvaluation {
  readonly ref: ArtifactRef;
  readonly evaluation: Evaluation;
  /** when it was published, as an ISO time; '' where it does not say */
  readonly createdAt: string;
}

/** A model on a Hub; `digest` is undefined for one that zephyr did not make. */
export interface KeptModel {
  readonly ref: ArtifactRef;
  readonly digest: string | undefined;
}

/** The evaluation in a commit; `undefined` where it holds none. Throws a `ZephyrError` for one that this version cannot read. */
export async function readEvaluation(hub: Hub, ref: ArtifactRef): Promise<KeptEvaluation | undefined> {
  const bytes = await hub.read(ref, EVALUATION_FILE);
  if (bytes === undefined) return undefined;
  const content = parsed(ref, EVALUATION_FILE, Buffer.from(bytes).toString('utf8'));
  const { version } = content as { readonly version?: unknown };
  if (version !== 1)
    throw new ZephyrError(
      `Cannot read the evaluation ${formatRef(ref)}: it is of version ${JSON.stringify(version) ?? 'none'}, expected 1`,
      { exit: 'preflight', hint: 'evaluate the model again, or use the zephyr that made it' },
    );
  const read = evaluation.safeParse(content);
  if (!read.success) throw damaged(ref, EVALUATION_FILE, read.error.issues[0]?.message);
  return { ref, evaluation: read.data, createdAt: (await readManifest(hub, ref))?.createdAt ?? '' };
}

/** The items of one benchmark. Throws a `ZephyrError` for a file that is missing, no list of items, or not all of them. */
export async function readItems(
  hub: Hub,
  { ref, evaluation: { benchmarks } }: KeptEvaluation,
  benchmark: string,
): Promise<EvaluationItem[]> {
  const path = itemsFile(benchmark);
  const bytes = await hub.read(ref, path);
  if (bytes === undefined) throw damaged(ref, path, 'the file is missing');
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  const items = lines.filter(Boolean).map((line) => {
    const item = evaluationItem.safeParse(parsed(ref, path, line));
    if (!item.success) throw damaged(ref, path, item.error.issues[0]?.message);
    return item.data;
  });
  if (new Set(items.map(({ id }) => id)).size < items.length) throw damaged(ref, path, 'two of its items have the same id');
  const scored = items.filter(({ score }) => score !== null).length;
  const counted = benchmarks.find(({ name }) => name === benchmark)?.n;
  if (scored !== counted) throw damaged(ref, path, `it holds ${scored} items with a score, ${EVALUATION_FILE} counts ${counted}`);
  return items;
}

/** The evaluations of a model on a Hub, the newest first: those of its very bytes, under whatever name and commit. */
export async function evaluationsOf(hub: Hub, model: KeptModel): Promise<KeptEvaluation[]> {
  const base = model.ref.name.slice(model.ref.name.indexOf('/') + 1);
  // a name that was too long for the Hub was cut, and ends in digits of the whole one
  const marks = [`/${base}-eval-`, `-${sha256(base).slice(0, 8)}-eval-`];
  const repos = (await hub.list()).filter(({ type, name }) => type === 'dataset' && marks.some((mark) => name.includes(mark)));
  const found: KeptEvaluation[] = [];
  for (const repo of repos) {
    const refs = await hub.refs(repo);
    const tagged = Object.entries(refs?.tags ?? {}).flatMap(([tag, commit]) => (tag.startsWith('zk-') ? [commit] : []));
    for (const commit of new Set([...tagged, ...(refs?.branches.main === undefined ? [] : [refs.branches.main])])) {
      const kept = await readEvaluation(hub, { ...repo, commit }).catch(skipped);
      if (kept !== undefined && isOf(kept, model)) found.push(kept);
    }
  }
  return found.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

/** One that cannot be read is none to compare; whoever names it by its ID is told why. */
function skipped(error: unknown): undefined {
  if (!(error instanceof ZephyrError) || error.exit !== 'preflight') throw error;
  return undefined;
}

function isOf({ evaluation: { model } }: KeptEvaluation, { ref, digest }: KeptModel): boolean {
  return digest === undefined ? model.name === ref.name && model.commit === ref.commit : model.digest === digest;
}

function parsed(ref: ArtifactRef, path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged(ref, path, 'it is no JSON');
    throw error;
  }
}

function damaged(ref: ArtifactRef, path: string, why = 'it is no evaluation'): ZephyrError {
  return new ZephyrError(`Cannot read "${path}" of the evaluation ${formatRef(ref)}: ${why}`, {
    exit: 'preflight',
    hint: 'zephyr inspect ID tells whether its bytes are still those that were published',
  });
}
