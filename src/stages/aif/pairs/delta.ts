import { constants } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { datasetCard, markdownTable } from '../../../datasets/card.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETIONS_FILE, type Completion, pairsFile } from '../tables.ts';
import { readOrigin } from './origin.ts';
import { obstacle, type PickedPair, writePairs } from './pairs.ts';
import { sameWords } from './pick-pair.ts';
import { type AnsweredPrompt, answeredPrompts } from './rated-prompts.ts';

/** `strong` and `weak` are ids of pool members. */
const config = z.object({
  version: z.literal(1),
  seed: z.int(),
  strong: z.string(),
  weak: z.string(),
  test_prompts: z.int(),
});

export type DeltaConfig = z.infer<typeof config>;

/**
 * The stronger model's answer over the weaker one's, without a judge (delta learning, arXiv 2507.06187): what is learned is
 * the difference between the two. Scores are 1 and 0 and mean no more than that. A prompt of which either answer is a
 * refusal, cut off, empty or missing, or both are the same, gives no pair.
 */
export const delta: Task = async (context) => {
  const { seed, strong, weak, test_prompts } = config.parse(context.config);
  const folders = { prompts: inputFolder(context, 'prompts'), completions: inputFolder(context, 'completions') };
  const dropped = counter();
  const picks = new Map<string, PickedPair>();
  const models = new Map<string, string>();
  let prompts = 0;
  let longer = 0;
  for await (const answered of answeredPrompts(folders)) {
    prompts += 1;
    const [chosen, rejected] = [answerOf(answered, strong), answerOf(answered, weak)];
    for (const { member, model } of [chosen, rejected]) models.set(member, model);
    const reason = whyNoPair(chosen, rejected, answered.safety);
    if (reason !== undefined) {
      dropped.add(reason);
      continue;
    }
    longer += chosen.text.length > rejected.text.length ? 1 : 0;
    picks.set(answered.prompt_id, {
      prompt_id: answered.prompt_id,
      chosen_id: chosen.completion_id,
      rejected_id: rejected.completion_id,
      score_chosen: 1,
      score_rejected: 0,
      candidates: 2,
      flags: chosen.flags.includes('refusal') ? ['refusal_chosen'] : [],
    });
  }
  const counts = dropped.counts();
  const rows = await writePairs(context.out, answeredPrompts(folders), { picks, seed, test: test_prompts, dropped: counts });
  await mkdir(dirname(join(context.out, COMPLETIONS_FILE)), { recursive: true });
  await copyFile(join(folders.completions, COMPLETIONS_FILE), join(context.out, COMPLETIONS_FILE), constants.COPYFILE_FICLONE);
  const report = {
    prompts,
    pairs: picks.size,
    ...rows,
    dropped: counts,
    chosen_longer: picks.size === 0 ? 0 : longer / picks.size,
    strong: models.get(strong) ?? strong,
    weak: models.get(weak) ?? weak,
  };
  const { sources } = await readOrigin(folders);
  await writeFile(join(context.out, 'report.json'), `${JSON.stringify({ ...report, sources }, undefined, 2)}\n`);
  await writeFile(join(context.out, 'README.md'), card(report, sources));
  return { metrics: report, costUsd: 0 };
};

function answerOf({ prompt_id, completions }: AnsweredPrompt, member: string): Completion {
  const found = completions.find((each) => each.member === member);
  if (found === undefined) throw new Error(`Cannot pair prompt "${prompt_id}": it has no answer of ${member}`);
  return found;
}

function whyNoPair(chosen: Completion, rejected: Completion, safety: boolean): string | undefined {
  const ofChosen = obstacle(chosen.flags, safety);
  if (ofChosen !== undefined) return `strong: ${ofChosen}`;
  const ofRejected = obstacle(rejected.flags, false);
  if (ofRejected !== undefined) return `weak: ${ofRejected}`;
  return sameWords(chosen.text, rejected.text) ? 'both answers are equal' : undefined;
}

function card(
  report: Readonly<Record<'strong' | 'weak', string>> &
    Readonly<Record<'prompts' | 'pairs', number>> & { readonly dropped: Readonly<Record<string, number>> },
  sources: readonly { readonly source: string; readonly licence: string | null }[],
): string {
  const { strong, weak, prompts, pairs, dropped } = report;
  const about = [
    `Pairs (\`train_prefs\`, \`test_prefs\`) in which the answer of ${strong} is chosen and that of ${weak} rejected, with all answers (\`completions\`) behind them. No judge rated them (delta learning, arXiv 2507.06187): the scores 1 and 0 say which model wrote what, not how good it is.`,
    `${prompts} prompts gave ${pairs} pairs.`,
    Object.keys(dropped).length === 0 ? '' : markdownTable(['dropped', 'prompts'], Object.entries(dropped)),
    sources.length === 0
      ? ''
      : markdownTable(
          ['source', 'licence'],
          sources.map(({ source, licence }) => [source, licence ?? 'not given']),
        ),
  ];
  return datasetCard('Preferences', about.filter((part) => part !== '').join('\n\n'), {
    default: { train_prefs: pairsFile('train_prefs'), test_prefs: pairsFile('test_prefs') },
    completions: { train: COMPLETIONS_FILE },
  });
}
