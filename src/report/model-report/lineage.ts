import type { Hub } from '../../hub/hub.ts';
import { readManifest } from '../../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../../model/artifact.ts';
import type { ReportArtifact } from './facts.ts';
import { readFeedbackTables, TABLES_FILE } from './feedback-tables.ts';

/** What an artifact was made of, at any remove, and the artifact itself, last. Each stands after its inputs. */
export async function lineageOf(hub: Hub, subject: ArtifactRef): Promise<ReportArtifact[]> {
  const found = new Map<string, ReportArtifact>();
  for (let wanted = [subject]; wanted.length > 0; ) {
    const read = await Promise.all(wanted.map((ref) => readArtifact(hub, ref)));
    for (const artifact of read) found.set(artifact.id, artifact);
    const inputs = read.flatMap(({ manifest }) => Object.values(manifest?.inputs ?? {}));
    const fresh = new Map(inputs.map((ref) => [formatRef(ref), ref]));
    wanted = [...fresh].flatMap(([id, ref]) => (found.has(id) ? [] : [ref]));
  }
  return inOrder(found, formatRef(subject));
}

async function readArtifact(hub: Hub, { type, name, commit }: ArtifactRef): Promise<ReportArtifact> {
  const ref = { type, name, commit };
  const isHere = (await hub.resolve({ type, name, revision: commit })) !== undefined;
  const manifest = isHere ? await readManifest(hub, ref) : undefined;
  const inputs = Object.entries(manifest?.inputs ?? {}).map(([as, input]) => [as, formatRef(input)]);
  const hasTables = type === 'dataset' && manifest?.files.some(({ path }) => path === TABLES_FILE) === true;
  return {
    ref,
    id: formatRef(ref),
    manifest,
    inputs: Object.fromEntries(inputs),
    feedback: hasTables ? readFeedbackTables(await hub.read(ref, TABLES_FILE)) : undefined,
  };
}

/** Depth first, so that what belongs together stands together. */
function inOrder(found: ReadonlyMap<string, ReportArtifact>, subject: string): ReportArtifact[] {
  const ordered = new Map<string, ReportArtifact>();
  const open = new Set<string>();
  function visit(id: string): void {
    const artifact = found.get(id);
    if (artifact === undefined || open.has(id)) return;
    open.add(id);
    for (const input of Object.values(artifact.inputs)) visit(input);
    ordered.set(id, artifact);
  }
  visit(subject);
  return [...ordered.values()];
}
