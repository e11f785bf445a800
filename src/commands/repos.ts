import type { Output } from '../hub/output.ts';
import { formatRef, formatRepo } from '../model/artifact.ts';
import type { Plan } from '../plan/plan.ts';

type Reads = Pick<Plan, 'pins' | 'stageInputs'>;

const HOLDS: Record<Output['holds'], string> = {
  nothing: 'new',
  artifact: 'gets a further commit',
  'other files': 'holds files that zephyr did not make',
};

/** What a plan reads, at which commit, and where it publishes; references are whole, however narrow the terminal. */
export function printRepos(plan: Reads, outputs: readonly Output[]): void {
  const reads = readsOf(plan);
  process.stdout.write('\n');
  if (reads.length > 0) process.stdout.write(`Reads:\n${reads.map((ref) => `  ${ref}\n`).join('')}`);
  process.stdout.write(
    `Publishes in:\n${outputs.map(({ repo, holds }) => `  ${formatRepo(repo)} (${HOLDS[holds]})\n`).join('')}`,
  );
}

export function plainRepos(plan: Reads, outputs: readonly Output[]): Record<string, unknown> {
  return {
    reads: readsOf(plan),
    publishes: outputs.map(({ repo, holds, others }) => ({ repo: formatRepo(repo), holds, others })),
  };
}

function readsOf({ pins, stageInputs }: Reads): string[] {
  const inputs = [...pins.values(), ...Object.values(stageInputs)];
  return [...new Set(inputs.map(({ ref }) => formatRef(ref)))];
}
