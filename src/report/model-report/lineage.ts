import { type Ancestor, ancestry } from '../../hub/ancestry.ts';
import type { Hub } from '../../hub/hub.ts';
import { type ArtifactRef, formatRef } from '../../model/artifact.ts';
import type { ReportArtifact } from './facts.ts';
import { readFeedbackTables, TABLES_FILE } from './feedback-tables.ts';

/** What an artifact was made of, at any remove, and the artifact itself, last. Each stands after its inputs. */
export async function lineageOf(hub: Hub, subject: ArtifactRef): Promise<ReportArtifact[]> {
  const read = await Promise.all((await ancestry(hub, [subject])).map((ancestor) => reported(hub, ancestor)));
  return inOrder(new Map(read.map((artifact) => [artifact.id, artifact])), formatRef(subject));
}

async function reported(hub: Hub, { ref, manifest }: Ancestor): Promise<ReportArtifact> {
  const inputs = Object.entries(manifest?.inputs ?? {}).map(([as, input]) => [as, formatRef(input)]);
  const hasTables = ref.type === 'dataset' && manifest?.files.some(({ path }) => path === TABLES_FILE) === true;
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
