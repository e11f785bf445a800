import type { StageOutcome } from '../engine/execute.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { formatRef } from '../model/artifact.ts';
import { type Stage, userStages } from '../stages/module.ts';
import { printTable } from './output.ts';
import { printChecks } from './print-checks.ts';
import { showGains } from './show-gains.ts';

/** What stages show of themselves; a rehearsal ends with it, and with the artifacts that it made, so there it is data. */
export async function printTables(
  hub: Hub,
  outcomes: readonly StageOutcome[],
  registry: readonly Stage[],
  isRehearsal: boolean,
): Promise<void> {
  const made = new Map(outcomes.flatMap((outcome) => (outcome.ok ? [[outcome.stage, outcome.artifact.ref] as const] : [])));
  const stream: NodeJS.WriteStream = isRehearsal ? process.stdout : process.stderr;
  for (const { name, table, measures } of registry) {
    const ref = made.get(name);
    if (ref !== undefined && !isRehearsal) await printChecks(hub, { stage: name, ref }, registry);
    if (table === undefined || ref === undefined) continue;
    const { above, columns, rows, below } = table((await readManifest(hub, ref))?.metrics);
    stream.write(`\n${above}\n`);
    await printTable(columns, rows, stream);
    stream.write(`${below}\n`);
    if (measures !== undefined) await showGains(hub, ref, stream);
  }
  if (!isRehearsal) return;
  const width = Math.max(...registry.map(({ name }) => name.length));
  for (const { name } of userStages(registry)) {
    const ref = made.get(name);
    if (ref !== undefined) process.stdout.write(`  ${name.padEnd(width)} ${formatRef(ref)}\n`);
  }
}
