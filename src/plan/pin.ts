import { sha256 } from '../base/sha256.ts';
import { smallFile, treeOf } from '../datasets/known-trees.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub, TreeEntry } from '../hub/hub.ts';
import { readManifest, resolveRef } from '../hub/read-ref.ts';
import { type ArtifactRef, type FloatingRef, formatRef, formatRepo, parseRef } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import { contentDigest, type FileDigest } from '../model/content-digest.ts';
import type { Artifact } from '../model/outcome.ts';
import { isRunBranch } from '../store/names.ts';

/** Requests to the Hub at a time: what a free account may send without being told to wait. */
const AT_ONCE = 8;

/**
 * What the references mean now: a commit, and the digest of its content. By the reference's text. Throws a `ZephyrError`
 * (preflight) that names every reference without a meaning.
 */
export async function pinRefs(refs: Iterable<string>, hub: Hub): Promise<Map<string, Artifact>> {
  const { pins, missing } = await tryPins(refs, hub);
  if (missing !== undefined) throw missing;
  return pins;
}

export interface Pins {
  readonly pins: Map<string, Artifact>;
  /** what the Hub does not have, and the error that says so */
  readonly absent: readonly FloatingRef[];
  readonly missing: ZephyrError | undefined;
}

/** Pins like `pinRefs`, but returns the references that the Hub lacks beside those that it has. */
export async function tryPins(refs: Iterable<string>, hub: Hub): Promise<Pins> {
  const texts = [...new Set(refs)];
  const settled = await Promise.allSettled(texts.map((text) => pinRef(text, hub)));
  const failures = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  const bug = failures.find((failure) => !(failure instanceof ZephyrError));
  if (bug !== undefined) throw bug;
  const refused = asOne(failures as ZephyrError[]);
  if (refused !== undefined) throw refused;
  const pins = new Map<string, Artifact>();
  const absent: Absent[] = [];
  for (const [index, outcome] of settled.entries()) {
    if (outcome.status === 'rejected') continue;
    if ('message' in outcome.value) absent.push(outcome.value);
    else pins.set(texts[index] as string, outcome.value);
  }
  return { pins, absent: absent.map(({ ref }) => ref), missing: missingOf(absent, hub) };
}

/** What is not on a Hub: in words, and what the Hub has in its place. */
interface Absent {
  readonly ref: FloatingRef;
  readonly message: string;
  readonly instead: string | undefined;
}

/** One error about all that is absent, with the one command that brings all of it. */
function missingOf(absent: readonly Absent[], hub: Hub): ZephyrError | undefined {
  if (absent.length === 0) return undefined;
  const instead = absent.flatMap((one) => one.instead ?? []);
  const ways = isRemote(hub)
    ? instead.length < absent.length
      ? ['check the name, and whether HF_TOKEN may see it']
      : []
    : [pullHint(absent.map(({ ref }) => ref))];
  return new ZephyrError(absent.map(({ message }) => message).join('\n'), {
    exit: 'preflight',
    hint: [...instead, ...ways].join('; or '),
  });
}

function asOne([first, ...rest]: readonly ZephyrError[]): ZephyrError | undefined {
  if (first === undefined || rest.length === 0) return first;
  return new ZephyrError([first, ...rest].map(({ message }) => message).join('\n'), {
    exit: 'preflight',
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}

/** What the reference means, or that the Hub has nothing of that name. */
async function pinRef(text: string, hub: Hub): Promise<Artifact | Absent> {
  const floating = parseRef(text);
  if (floating === undefined) {
    throw new ZephyrError(
      `Cannot read reference "${text}": expected hf://models/ORG/NAME[@REVISION] or hf://datasets/ORG/NAME[@REVISION]`,
    );
  }
  const commit = await resolveRef(hub, floating);
  if (commit === undefined) return await unknown(floating, hub);
  const ref: ArtifactRef = { type: floating.type, name: floating.name, commit };
  if (isRunId(floating.revision)) return await (await import('./made-by.ts')).madeBy(ref, floating.revision, hub);
  const manifest = await readManifest(hub, ref);
  return { ref, digest: manifest?.digest ?? (await digestOf(ref, hub)) };
}

async function unknown(ref: FloatingRef, hub: Hub): Promise<Absent> {
  const refs = await hub.refs(ref);
  if (refs === undefined) return { ref, message: `Cannot find "${formatRepo(ref)}" on ${hub.name}`, instead: undefined };
  const known = [...Object.keys(refs.branches), ...Object.keys(refs.tags)].filter(
    (name) => !isRunBranch(name) && !name.startsWith('zk-'),
  );
  return {
    ref,
    message: `Cannot find revision "${ref.revision}" of "${formatRepo(ref)}" on ${hub.name}`,
    instead: known.length === 0 ? `${formatRepo(ref)} has no branch and no tag` : `it has ${known.slice(0, 8).join(', ')}`,
  };
}

/** Over HTTP: what a remote Hub does not have is not brought there by a pull. */
export function isRemote({ name }: Hub): boolean {
  return /^https?:/.test(name);
}

/** The one command that brings what a recipe names to the embedded Hub. */
function pullHint(absent: readonly FloatingRef[]): string {
  const named = absent.map((ref) => (ref.revision === 'main' ? formatRepo(ref) : formatRef(ref)));
  const folder = `zephyr hub import FOLDER --as ${formatRepo(absent[0] as FloatingRef)}`;
  return `bring ${absent.length === 1 ? 'it' : 'them'} here with: zephyr hub pull ${named.join(' ')} (or, from a folder: ${folder})`;
}

/** The digest of a repo that zephyr did not publish: the Hub knows the sha256 of large files, small ones are read. */
async function digestOf(ref: ArtifactRef, hub: Hub): Promise<string> {
  const { default: PQueue } = await import('p-queue');
  const queue = new PQueue({ concurrency: AT_ONCE });
  const tree = await treeOf(hub, ref);
  return contentDigest(await Promise.all(tree.map((entry) => queue.add(() => fileDigest(entry, ref, hub)))));
}

async function fileDigest({ path, size, sha256: known }: TreeEntry, ref: ArtifactRef, hub: Hub): Promise<FileDigest> {
  if (known !== undefined) return { path, size, sha256: known };
  const bytes = await smallFile(hub, ref, path);
  if (bytes === undefined)
    throw new ZephyrError(`Cannot read "${path}" of ${formatRef(ref)}: its tree lists it`, { exit: 'temporary' });
  return { path, size: bytes.length, sha256: sha256(bytes) };
}
