import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeLines } from '../../../datasets/line-file.ts';
import type { TaskContext, TaskResult } from '../../stage.ts';
import { REPORT_FILE } from '../tables.ts';
import { pairsCard } from './card.ts';
import { type Origin, readSpending } from './origin.ts';
import { pairUp } from './pair-up.ts';
import { writePairs } from './pairs.ts';
import type { AnsweredPrompt, RatedPrompt } from './rated-prompts.ts';
import { metricsOf, reportOf } from './report.ts';
import type { BinarizeRule } from './rule.ts';

const CROSS_CHECK_FILE = 'cross-check.jsonl';

/** What both ways to feedback have in common: each member can be walked as often as needed, in one and the same order. */
export interface Feedback {
  readonly rated: () => AsyncIterable<RatedPrompt>;
  readonly answered: () => AsyncIterable<AnsweredPrompt>;
  /** Prompts that were dropped before, by reason; read after the first walk. */
  readonly dropped: () => Readonly<Record<string, number>>;
  readonly origin: Origin;
  /** input folders whose cost belongs to this dataset */
  readonly paid: Readonly<Record<string, string>>;
}

/** Pairs by the rule, `report.json`, `cross-check.jsonl` and the card, for a folder that holds completions and ratings too. */
export async function publishPairs(context: TaskContext, rule: BinarizeRule, feedback: Feedback): Promise<TaskResult> {
  const paired = await pairUp(feedback.rated, rule);
  for (const [reason, count] of Object.entries(feedback.dropped())) paired.drops.add(reason, count);
  const { out } = context;
  const dropped = paired.drops.counts();
  const rows = await writePairs(out, feedback.answered(), {
    picks: paired.picks,
    seed: rule.seed,
    test: rule.test_prompts,
    dropped,
  });
  const report = reportOf(rule, paired, rows, feedback.origin);
  await writeFile(join(out, REPORT_FILE), `${JSON.stringify(report, undefined, 2)}\n`);
  const contradicting = paired.contradictions;
  if (paired.twiceScored > 0) await writeLines(join(out, CROSS_CHECK_FILE), contradicting);
  if (contradicting.length > 0)
    context.note(
      `${contradicting.length} of ${paired.twiceScored} answers have an overall score that contradicts their aspects; see ${CROSS_CHECK_FILE}`,
    );
  await writeFile(join(out, 'README.md'), pairsCard(report, await readSpending(feedback.paid)));
  return { metrics: metricsOf(report), costUsd: 0 };
}
