import { formatDollars, formatDuration, formatNumber } from '../../render/format.ts';
import { headlines } from './benchmarks.ts';
import { byStage, effortOf } from './effort.ts';
import type { ReportFacts } from './facts.ts';
import { factsOf } from './section-picture.ts';

/** A figure that stands at the top. */
interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
}

/** Results that fit on a line of a wide screen beside time and cost. */
const FIT = 4;

/** What a reader wants to know first: how good it is, what it took, how it ended. */
export function tilesOf(facts: ReportFacts): Tile[] {
  const stages = byStage(effortOf(facts));
  const sum = (of: (stage: (typeof stages)[number]) => number) => stages.reduce((total, stage) => total + of(stage), 0);
  const metrics = facts.subject.manifest?.metrics ?? {};
  const named = (member: string, name: string): Tile[] => {
    const value = metrics[member];
    return typeof value === 'number' ? [{ name, value: formatNumber(value), note: 'held out' }] : [];
  };
  const results = [
    ...headlines(facts),
    ...named('eval_rewards/accuracies', 'pairs told apart'),
    ...named('eval_rewards/margins', 'reward margin'),
    ...named('eval_loss', 'loss'),
  ];
  return [
    ...results.slice(0, FIT),
    {
      name: 'time of all steps',
      value: formatDuration(sum(({ seconds }) => seconds)),
      note: stages.length === 1 ? 'one stage' : `${stages.length} stages`,
    },
    { name: 'calls to teachers', value: formatDollars(sum(({ costUsd }) => costUsd)) },
  ];
}

/** One sentence on what it was made of. */
export function leadOf({ subject, artifacts }: ReportFacts): string {
  const { manifest } = subject;
  if (manifest === undefined) return 'zephyr did not make it: what is known of it is its name and its commit.';
  const stages = [...new Set(artifacts.flatMap((artifact) => artifact.manifest?.stage ?? []))];
  const roots = artifacts.filter(({ inputs }) => Object.keys(inputs).length === 0);
  const facts = factsOf(subject);
  return `Made in ${stages.length === 1 ? 'one stage' : `${stages.length} stages`} (${stages.join(', ')}) from ${roots.map(({ ref }) => ref.name).join(', ')}, finished on ${manifest.createdAt.slice(0, 10)}${facts.length === 0 ? '' : `, with ${facts.join(' and ')}`}.`;
}
