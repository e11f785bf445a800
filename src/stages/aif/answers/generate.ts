import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { canonicalJson } from '../../../base/canonical-json.ts';
import { writeParquet } from '../../../base/parquet.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { runCalls, withSession } from '../../../calls/run-calls.ts';
import { ZephyrError } from '../../../errors.ts';
import { datasetCard } from '../../dataset-card.ts';
import { flagsOf } from '../../flags.ts';
import { counter, readRows } from '../../rows.ts';
import type { Task } from '../../stage.ts';
import { callFields, callOf, inputFolder, sessionOf } from '../../step-config.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, type Completion, type Prompt, readPrompts } from '../tables.ts';
import { drawMembers, drawOne } from './draw.ts';
import { principleWordings } from './principles.ts';

const member = z.union([
  z.object({ id: z.string(), weight: z.number(), call: callFields }),
  z.object({ id: z.string(), weight: z.number(), input: z.string() }),
]);
type Member = z.infer<typeof member>;
const config = z.object({ seed: z.int(), pool: z.array(member), answers_per_prompt: z.int(), principles: z.array(z.string()) });

/** A line of a generate job's `completions.jsonl`, as far as it is read here. */
const answerLine = z.looseObject({
  prompt_id: z.string(),
  sample: z.int(),
  text: z.string(),
  finish_reason: z.string(),
  tokens: z.int().nullish(),
});
type AnswerLine = z.infer<typeof answerLine>;

interface Slot {
  readonly prompt: Prompt;
  readonly member: Member;
  readonly id: string;
  readonly principle: string | undefined;
  readonly call: Call | undefined;
}

/**
 * Several models answer every prompt. Which ones, and under which principle, depends on seed and prompt alone, so more
 * prompts change nothing for the others. Output: the completions, in the order of the prompts.
 */
export const generate: Task = async (context) => {
  const { seed, pool, answers_per_prompt: count, principles } = config.parse(context.config);
  if (new Set(pool.map(({ id }) => id)).size < pool.length)
    throw new ZephyrError('Cannot draw from the pool: a member is in it twice', {
      hint: 'Give the member a larger weight instead.',
    });
  const asked = pool.flatMap((each) => ('call' in each ? [canonicalJson({ ...each.call, teacher: undefined })] : []));
  if (new Set(asked).size < asked.length)
    throw new ZephyrError('Cannot draw from the pool: two members are the same model with the same sampling', {
      hint: 'Their answers would be one and the same.',
    });
  if (pool.length < count)
    throw new ZephyrError(`Cannot draw ${count} different answers a prompt: the pool has ${pool.length} members`);
  const wordings = new Map<string, string[]>();
  for (const principle of principles) wordings.set(principle, await principleWordings(context.files, principle));
  const prompts = await readPrompts(inputFolder(context, 'prompts'));
  const answers = new Map<string, Map<string, AnswerLine>>();
  for (const each of pool) if ('input' in each) answers.set(each.id, await readAnswers(inputFolder(context, each.input)));

  function slotsOf(prompt: Prompt): Slot[] {
    return drawMembers(pool, count, seed, prompt.prompt_id).map((drawn) => {
      const id = `${prompt.prompt_id}/${drawn.id}`;
      if (!('call' in drawn)) return { prompt, member: drawn, id, principle: undefined, call: undefined };
      const principle = drawOne(principles, seed, 'principle', id);
      const wording = principle === undefined ? undefined : drawOne(wordings.get(principle) ?? [], seed, 'wording', id);
      const system = wording === undefined ? [] : [{ role: 'system' as const, content: wording }];
      return {
        prompt,
        member: drawn,
        id,
        principle,
        call: callOf(drawn.call, 'answer', [...system, { role: 'user', content: prompt.prompt }]),
      };
    });
  }
  function* calls(): Generator<Call> {
    for (const prompt of prompts) for (const { call } of slotsOf(prompt)) if (call !== undefined) yield call;
  }

  return withSession(sessionOf(context), async (session) => {
    session.expect(prompts.reduce((sum, prompt) => sum + slotsOf(prompt).filter(({ call }) => call !== undefined).length, 0));
    await runCalls(session, calls());
    const flags = counter();
    const models = counter();

    async function completion(slot: Slot): Promise<Completion> {
      const { prompt, principle, call, id } = slot;
      const common = {
        completion_id: id,
        prompt_id: prompt.prompt_id,
        prompt: prompt.prompt,
        member: slot.member.id,
        principle: principle ?? null,
      };
      if (call !== undefined) {
        const key = callKey(call);
        const reply = await session.read(key);
        if (reply === undefined) return { ...common, model: call.model, ...NOTHING, call_key: key };
        return {
          ...common,
          model: call.model,
          text: reply.text,
          finish_reason: reply.finishReason,
          prompt_tokens: reply.promptTokens,
          completion_tokens: reply.completionTokens,
          flags: flagsOf(reply),
          call_key: key,
        };
      }
      const line = answers.get(slot.member.id)?.get(prompt.prompt_id);
      if (line === undefined) return { ...common, model: slot.member.id, ...NOTHING, call_key: null };
      const found = flagsOf({ text: line.text, finishReason: line.finish_reason, refusal: undefined });
      return {
        ...common,
        model: slot.member.id,
        text: line.text,
        finish_reason: line.finish_reason,
        prompt_tokens: null,
        completion_tokens: line.tokens ?? null,
        flags: found,
        call_key: null,
      };
    }
    async function* completions(): AsyncGenerator<Completion> {
      for (const prompt of prompts) {
        for (const slot of slotsOf(prompt)) {
          const row = await completion(slot);
          for (const flag of row.flags) flags.add(flag);
          models.add(row.model);
          yield row;
        }
      }
    }
    const rows = await writeParquet(join(context.out, COMPLETIONS_FILE), COMPLETION_COLUMNS, completions());
    await writeFile(
      join(context.out, 'README.md'),
      datasetCard('Completions', 'Answers of several models to each prompt.', { default: { train: COMPLETIONS_FILE } }),
    );
    const { costUsd, ...calling } = session.summary();
    return {
      metrics: {
        completions: rows,
        prompts: prompts.length,
        flags: flags.counts(),
        by_model: models.counts(),
        possible_double_spend: calling.possibleDoubleSpend,
        recovered: calling.recovered,
      },
      costUsd,
    };
  });
};

const NOTHING = { text: '', finish_reason: 'none', prompt_tokens: null, completion_tokens: null, flags: ['missing' as const] };

/** The first answer of a generate job to each prompt. */
async function readAnswers(folder: string): Promise<Map<string, AnswerLine>> {
  const answers = new Map<string, AnswerLine>();
  const name = (await readdir(folder)).find((file) => file === 'completions.jsonl');
  if (name === undefined) throw new ZephyrError(`Cannot read the answers of a model: expected completions.jsonl in "${folder}"`);
  for await (const row of readRows(join(folder, name))) {
    const line = answerLine.parse(row);
    if (line.sample === 0) answers.set(line.prompt_id, line);
  }
  return answers;
}
