import type { Hub, TreeEntry } from '../hub/hub.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import type { Tree } from './layout.ts';

/** Files that say what belongs together; the Hub keeps them small. */
const CARDS: readonly string[] = ['README.md', '.huggingface.yaml'];

/** Answers about commits. These do not change, so a Hub over HTTP is asked once. */
const asked = new WeakMap<Hub, Map<string, Promise<unknown>>>();

/** All files of a commit. */
export async function treeOf(hub: Hub, ref: ArtifactRef): Promise<readonly TreeEntry[]> {
  return await once(hub, `${ref.type} ${ref.name} ${ref.commit}`, () => hub.tree(ref));
}

/** A small file's bytes; those of a card are kept. */
export async function smallFile(hub: Hub, ref: ArtifactRef, path: string): Promise<Uint8Array | undefined> {
  if (!CARDS.includes(path)) return await hub.read(ref, path);
  return await once(hub, `${ref.type} ${ref.name} ${ref.commit} ${path}`, () => hub.read(ref, path));
}

/** A dataset as far as its layout tells, see `resolveSplit`. */
export async function layoutOf(hub: Hub, ref: ArtifactRef): Promise<Tree> {
  const paths = (await treeOf(hub, ref)).map(({ path }) => path);
  const text = async (path: string) =>
    paths.includes(path) ? Buffer.from((await smallFile(hub, ref, path)) ?? '').toString('utf8') : undefined;
  const [readme, standalone] = await Promise.all(CARDS.map(text));
  return { paths, readme, standalone };
}

async function once<Answer>(hub: Hub, question: string, ask: () => Promise<Answer>): Promise<Answer> {
  const known = asked.get(hub) ?? new Map<string, Promise<unknown>>();
  asked.set(hub, known);
  const answer = (known.get(question) as Promise<Answer> | undefined) ?? ask();
  known.set(question, answer);
  try {
    return await answer;
  } catch (error) {
    known.delete(question); // it may be answered the next time
    throw error;
  }
}
