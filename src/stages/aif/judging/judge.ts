import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacOrder } from '../../../base/hmac-choice.ts';
import { parquetShape, writeParquet } from '../../../base/parquet.ts';
import { sha256 } from '../../../base/sha256.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { forEachAtOnce } from '../../../calls/for-each.ts';
import { IN_HAND, withSession } from '../../../calls/run-calls.ts';
import { datasetCard } from '../../dataset-card.ts';
import { counter } from '../../rows.ts';
import type { Task } from '../../stage.ts';
import { callFields, inputFolder, sessionOf } from '../../step-config.ts';
import { byPrompt, COMPLETIONS_FILE, type Completion, RATING_COLUMNS, RATINGS_FILE, type Rating } from '../tables.ts';
import { type Judgement, judgeCall, labelsFor, readJudgement, scaleOf } from './judgement.ts';
import { judgeInstructions } from './templates.ts';

const config = z.object({
  seed: z.int(),
  call: callFields,
  aspects: z.array(z.string()),
  overall: z.boolean(),
  permutations: z.int().min(1).max(2),
});

/** One question to the judge, and the same once more for when its reply cannot be read. */
interface Sheet {
  readonly aspect: string;
  readonly permutation: number;
  /** in the order of the labels */
  readonly answers: readonly Completion[];
  readonly calls: readonly Call[];
}

/**
 * A judge rates the answers to each prompt, one aspect at a time, all answers side by side under opaque labels in an order
 * drawn by seed and prompt (and its reverse with two permutations); `overall` rates each answer alone from 1 to 10. A
 * reply that cannot be read is asked for once more; then the rating is missing, with the reason.
 */
export const judge: Task = async (context) => {
  const { seed, call: fields, aspects, overall, permutations } = config.parse(context.config);
  const path = join(inputFolder(context, 'completions'), COMPLETIONS_FILE);
  const instructions = new Map<string, string>();
  for (const aspect of [...aspects, ...(overall ? ['overall'] : [])])
    instructions.set(aspect, await judgeInstructions(context.files, aspect));

  function sheet(aspect: string, permutation: number, answers: readonly Completion[]): Sheet {
    const ask = (purpose: string) =>
      judgeCall(
        fields,
        purpose,
        aspect,
        instructions.get(aspect) ?? '',
        answers[0] as Completion,
        answers.map(({ text }) => text),
      );
    return { aspect, permutation, answers, calls: [ask(`judge ${aspect}`), ask(`judge ${aspect} once more`)] };
  }
  function sheetsOf(completions: readonly Completion[]): Sheet[] {
    const answers = completions.filter(({ flags }) => !flags.includes('missing') && !flags.includes('empty'));
    if (answers.length < 2) return [];
    const sheets = aspects.flatMap((aspect) => {
      const order = hmacOrder(seed, `order ${aspect}`, answers, ({ completion_id }) => completion_id);
      return [order, order.toReversed()].slice(0, permutations).map((each, permutation) => sheet(aspect, permutation, each));
    });
    return [...sheets, ...(overall ? answers.map((answer) => sheet('overall', 0, [answer])) : [])];
  }
  async function* sheets(): AsyncGenerator<Sheet> {
    for await (const completions of byPrompt<Completion>(path)) yield* sheetsOf(completions);
  }

  return withSession(sessionOf(context), async (session) => {
    const { rows: answers } = await parquetShape(path);
    session.expect(await countOf(sheets()));
    /** The first reply that can be read, else what became of the last. */
    async function settle(
      { aspect, answers: texts, calls }: Sheet,
      replyTo: (call: Call) => Promise<Parameters<typeof readJudgement>[0]>,
    ): Promise<{ judgement: Judgement; key: string }> {
      let judgement: Judgement | undefined;
      let key = '';
      for (const call of calls) {
        key = callKey(call);
        judgement = readJudgement(await replyTo(call), labelsFor(texts.length), scaleOf(aspect));
        if (judgement.ok || judgement.status === 'missing') break;
      }
      return { judgement: judgement as Judgement, key };
    }
    await forEachAtOnce(sheets(), IN_HAND, async (each) => {
      await settle(each, async (call) => {
        const outcome = await session.ask(call);
        return outcome.ok ? outcome.reply : undefined;
      });
    });

    const statuses = counter();
    const reasons = counter();
    async function* ratings(): AsyncGenerator<Rating> {
      for await (const each of sheets()) {
        const { judgement, key } = await settle(each, (call) => session.read(callKey(call)));
        if (!judgement.ok) reasons.add(judgement.why, each.answers.length);
        const template_sha256 = sha256(instructions.get(each.aspect) ?? '');
        for (const [position, { completion_id, prompt_id }] of each.answers.entries()) {
          const entry = judgement.ok ? judgement.entries.get(labelsFor(each.answers.length)[position] ?? '') : undefined;
          const status = judgement.ok ? 'ok' : judgement.status;
          statuses.add(status);
          const found = { rating: entry?.rating ?? null, na: entry?.na ?? false, rationale: entry?.rationale ?? null, status };
          yield {
            completion_id,
            prompt_id,
            aspect: each.aspect,
            judge: fields.model,
            template_sha256,
            permutation: each.permutation,
            position,
            ...found,
            call_key: key,
          } as Rating;
        }
      }
    }
    const rows = await writeParquet(join(context.out, RATINGS_FILE), RATING_COLUMNS, ratings());
    await writeFile(
      join(context.out, 'README.md'),
      datasetCard('Ratings', `Rated by ${fields.model}.`, { default: { train: RATINGS_FILE } }),
    );
    const { costUsd, possibleDoubleSpend, recovered } = session.summary();
    return {
      metrics: {
        ratings: rows,
        answers,
        by_status: statuses.counts(),
        not_read: reasons.counts(),
        possible_double_spend: possibleDoubleSpend,
        recovered,
      },
      costUsd,
    };
  });
};

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of items) count += 1;
  return count;
}
