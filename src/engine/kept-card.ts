import { isDeepStrictEqual } from 'node:util';
import { hasSection, type ReadmeParts, readReadme, withSection, writeReadme } from '../datasets/readme.ts';
import { ZephyrError } from '../errors.ts';
import { CARD_SECTION, RESULTS_SECTION, withoutResults } from '../evaluations/model-index.ts';
import { isDamage } from '../hub/damage.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { fingerprintTag } from '../model/fingerprint.ts';

/**
 * The card of a new artifact over the one that the repo has: what the user wrote since zephyr's last one stays. Results of
 * evaluations go, as they are those of other weights.
 */
export async function keepOwnWords(hub: Hub, at: ArtifactRef, fresh: string): Promise<string> {
  try {
    const present = await readmeOf(hub, at);
    if (present === undefined) return fresh;
    const last = await lastCard(hub, at);
    return present === last ? fresh : mergedCard(fresh, present, last);
  } catch (error) {
    if (isDamage(error)) return fresh;
    if (error instanceof ZephyrError || !(error instanceof Error)) throw error;
    throw new ZephyrError(`Cannot keep what you wrote in README.md of "${formatRef(at)}": ${error.message}`, {
      exit: 'conflict',
      hint: 'mend or remove that file on the Hub, then zephyr resume: the work is kept',
    });
  }
}

/** `last` is the card as zephyr wrote it, before the user changed it to `present`. Throws an `Error` for a head that is no YAML. */
export function mergedCard(fresh: string, present: string, last: string | undefined): string {
  const [ours, theirs, before] = [readReadme(fresh), readReadme(present), readReadme(last ?? '')];
  withoutResults(theirs.head);
  const was = before.head.toJS() as Record<string, unknown>;
  const is = theirs.head.toJS() as Record<string, unknown>;
  const will = ours.head.toJS() as Record<string, unknown>;
  for (const name of new Set([...Object.keys(was), ...Object.keys(will)])) {
    if (!isDeepStrictEqual(is[name], was[name])) continue;
    if (name in will) theirs.head.set(name, will[name]);
    else theirs.head.delete(name);
  }
  return writeReadme({ head: theirs.head, body: mergedBody(ours, theirs, before) });
}

function mergedBody(ours: ReadmeParts, theirs: ReadmeParts, before: ReadmeParts): string {
  const body = withSection(theirs.body, RESULTS_SECTION, undefined);
  if (body.trim() === before.body.trim()) return ours.body;
  const text = /-->(.*)<!-- \//s.exec(ours.body)?.[1] ?? ours.body;
  if (hasSection(body, CARD_SECTION) || before.body === '' || hasSection(before.body, CARD_SECTION))
    return withSection(body, CARD_SECTION, text);
  // cards had no marks once: nobody can tell which words of the changed one are the user's
  return `${body.trimEnd()}\n\n${ours.body.trimStart()}`;
}

async function lastCard(hub: Hub, at: ArtifactRef): Promise<string | undefined> {
  const manifest = await readManifest(hub, at);
  if (manifest === undefined) return undefined;
  const commit = await hub.resolve({ ...at, revision: fingerprintTag(manifest.fingerprint) });
  return commit === undefined ? undefined : await readmeOf(hub, { ...at, commit });
}

async function readmeOf(hub: Hub, at: ArtifactRef): Promise<string | undefined> {
  const bytes = await hub.read(at, 'README.md');
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}
