import { readReadme, withSection, writeReadme } from '../datasets/readme.ts';
import { ZephyrError } from '../errors.ts';
import type { Addition, Hub } from '../hub/hub.ts';
import { OUR_RESULTS } from '../hub/output.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { RESULTS_SECTION, resultFiles, resultsText, setResults } from './model-index.ts';
import type { KeptEvaluation } from './read.ts';

interface ChangedCard {
  readonly ref: ArtifactRef;
  /** paths that the commit wrote or removed */
  readonly paths: readonly string[];
}

/** Puts the values of evaluations of one model onto its card, in one commit on its main branch; nothing where it says them already. */
export async function writeCard(hub: Hub, evaluations: readonly KeptEvaluation[]): Promise<ChangedCard> {
  const at = await mainOf(hub, evaluations);
  const files = resultFiles(evaluations);
  files.set('README.md', cardWith(at, await textOf(hub, at, 'README.md'), evaluations));
  const add: Addition[] = [];
  for (const [path, content] of files) if ((await textOf(hub, at, path)) !== content) add.push({ path, content });
  const stale = (await hub.tree(at)).map(({ path }) => path).filter((path) => OUR_RESULTS.test(path) && !files.has(path));
  const paths = [...add.map(({ path }) => path), ...stale];
  if (paths.length === 0) return { ref: at, paths };
  const { commit: parent, ...repo } = at;
  const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'zephyr: evaluation', add, remove: stale });
  if (outcome.ok) return { ref: { ...repo, commit: outcome.commit }, paths };
  throw new ZephyrError(`Cannot write the card of "${formatRef(at)}": its main branch moved meanwhile`, {
    exit: 'temporary',
    hint: 'run the command again',
  });
}

/** The main branch of the evaluated model, if it still holds those weights. */
async function mainOf(hub: Hub, [first]: readonly KeptEvaluation[]): Promise<ArtifactRef> {
  const { type, name, commit, digest } = (first as KeptEvaluation).evaluation.model;
  const main = await hub.resolve({ type, name, revision: 'main' });
  const model = formatRef({ type, name, commit });
  if (main === undefined)
    throw new ZephyrError(`Cannot write the card of "${model}": there is no such repo on ${hub.name}`, {
      exit: 'preflight',
      hint: 'zephyr hub ls lists what is there; --hub names another Hub',
    });
  const at = { type, name, commit: main };
  const holds = (await readManifest(hub, at))?.digest;
  if (holds === digest || (holds === undefined && main === commit)) return at;
  throw new ZephyrError(`Cannot write the card of "${model}": the main branch of its repo holds other weights by now`, {
    exit: 'conflict',
    hint: `evaluate what it holds: zephyr eval ${formatRef(at)}`,
  });
}

function cardWith(at: ArtifactRef, text: string | undefined, evaluations: readonly KeptEvaluation[]): string {
  try {
    const { head, body } = readReadme(text ?? '');
    setResults(head, at.name.slice(at.name.indexOf('/') + 1), evaluations);
    return writeReadme({ head, body: withSection(body, RESULTS_SECTION, resultsText(evaluations)) });
  } catch (cause) {
    throw new ZephyrError(`Cannot write into README.md of "${formatRef(at)}": ${(cause as Error).message}`, {
      exit: 'preflight',
      hint: 'mend the members between the two rulers at its top',
      cause,
    });
  }
}

async function textOf(hub: Hub, at: ArtifactRef, path: string): Promise<string | undefined> {
  const bytes = await hub.read(at, path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}
