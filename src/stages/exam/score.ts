import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacOrder } from '../../base/hmac-choice.ts';
import { type Call, callKey } from '../../calls/call.ts';
import { callFields } from '../../calls/call-config.ts';
import { runCalls, withSession } from '../../calls/run-calls.ts';
import { Unanswered } from '../../calls/unanswered.ts';
import { datasetCard } from '../../datasets/dataset-card.ts';
import { writeLines } from '../../datasets/line-file.ts';
import { readRows } from '../../datasets/rows.ts';
import { ZephyrError } from '../../errors.ts';
import { ASPECTS } from '../../judging/question.ts';
import { ratingsForm } from '../../judging/ratings.ts';
import { judgeCall } from '../../judging/response-format.ts';
import { judgeInstructions } from '../../judging/templates.ts';
import { finishOf } from '../../teachers/finish.ts';
import type { Task } from '../stage.ts';
import { inputFolder, sessionOf } from '../step-config.ts';
import { makeReport, type Sat, SITTERS, type Sitter } from './report.ts';

/** The teacher that grades, unless the config names another. */
const GRADER = { teacher: 'practice-judge', model: 'practice-judge', temperature: 0, top_p: 1, max_tokens: 1024 };
const config = z.object({ seed: z.int(), bootstrap: z.int().positive(), judge: callFields.default(GRADER) });

const examPrompt = z.looseObject({
  prompt_id: z.string(),
  kind: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
});
const answerLine = z.looseObject({
  prompt_id: z.string(),
  sample: z.int(),
  text: z.string(),
  finish_reason: z.string(),
  tokens: z.int(),
});
type AnswerLine = z.infer<typeof answerLine>;

/** One question to the judge: all models' answers to a prompt, for one aspect. */
interface Sheet {
  readonly prompt_id: string;
  /** in the order of the labels */
  readonly order: readonly Sitter[];
  readonly aspect: string;
  readonly call: Call;
}

/**
 * The judge rates the three models' answers to every held-out prompt as it rates answers in `aif`: side by side under opaque
 * labels, in an order drawn for the prompt and the aspect. An answer's score is the mean of its ratings, from 1 to 5,
 * brought to [0, 1]; an empty answer gets 0. Writes `scores.jsonl` and `report.json`.
 */
export const score: Task = async (context) => {
  const { seed, bootstrap, judge } = config.parse(context.config);
  const prompts: z.infer<typeof examPrompt>[] = [];
  for await (const row of readRows(join(inputFolder(context, 'world'), 'prompts.jsonl'))) prompts.push(examPrompt.parse(row));
  const answers = { base: await readAnswers('base'), dsft: await readAnswers('dsft'), ddpo: await readAnswers('ddpo') };
  const instructions = await Promise.all(ASPECTS.map((aspect) => judgeInstructions(context.files, aspect)));

  async function readAnswers(sitter: Sitter): Promise<ReadonlyMap<string, AnswerLine>> {
    const found = new Map<string, AnswerLine>();
    for await (const row of readRows(join(inputFolder(context, sitter), 'completions.jsonl'))) {
      const line = answerLine.parse(row);
      if (line.sample === 0) found.set(line.prompt_id, line);
    }
    const missing = prompts.find(({ prompt_id }) => !found.has(prompt_id));
    if (missing !== undefined)
      throw new ZephyrError(`Cannot grade "${sitter}": it has no answer to prompt "${missing.prompt_id}"`, { exit: 'jobFailed' });
    return found;
  }
  const textOf = (sitter: Sitter, prompt_id: string) => answers[sitter].get(prompt_id)?.text ?? '';
  function sheetsOf({ prompt_id, messages }: (typeof prompts)[number]): Sheet[] {
    const sitters = SITTERS.filter((sitter) => textOf(sitter, prompt_id).trim() !== '');
    if (sitters.length === 0) return [];
    const prompt =
      messages.length === 1
        ? (messages[0]?.content ?? '')
        : messages.map(({ role, content }) => `${role === 'user' ? 'User' : 'Assistant'}: ${content}`).join('\n\n');
    return ASPECTS.map((aspect, index) => {
      const order = hmacOrder(seed, `exam ${aspect} ${prompt_id}`, sitters, (sitter) => sitter);
      const texts = order.map((sitter) => textOf(sitter, prompt_id));
      const form = ratingsForm(aspect, texts.length);
      return {
        prompt_id,
        order,
        aspect,
        call: judgeCall(judge, `exam ${aspect}`, instructions[index]?.text ?? '', { prompt_id, prompt }, texts, form),
      };
    });
  }

  return withSession(sessionOf(context), async (session) => {
    const sheets = prompts.flatMap(sheetsOf);
    session.expect(sheets.length);
    const unanswered = new Unanswered(context);
    await runCalls(
      session,
      sheets.map(({ call }) => call),
      (call, outcome) => void unanswered.replyIn(call, outcome),
    );
    unanswered.check(session);
    const ratings = new Map<string, number[]>();
    for (const { prompt_id, order, aspect, call } of sheets) {
      const reading = ratingsForm(aspect, order.length).read(await session.read(callKey(call)));
      if (!reading.ok)
        throw new ZephyrError(`Cannot grade the answers to prompt "${prompt_id}" for ${aspect}: ${reading.why}`, {
          exit: 'jobFailed',
        });
      order.forEach((sitter, index) => {
        const rating = reading.found[index]?.rating;
        if (rating != null) ratings.set(`${sitter} ${prompt_id}`, [...(ratings.get(`${sitter} ${prompt_id}`) ?? []), rating]);
      });
    }
    const sat = (sitter: Sitter): Sat[] =>
      prompts.map(({ prompt_id, kind }) => {
        const given = ratings.get(`${sitter} ${prompt_id}`) ?? [1];
        const answer = answers[sitter].get(prompt_id);
        return {
          kind,
          score: (given.reduce((sum, rating) => sum + rating, 0) / given.length - 1) / 4,
          ended: answer !== undefined && finishOf(answer.finish_reason) === 'normal',
          tokens: answer?.tokens ?? 0,
        };
      });
    const results = { base: sat('base'), dsft: sat('dsft'), ddpo: sat('ddpo') };
    const report = makeReport(results, bootstrap, seed);
    const lines = prompts.map(({ prompt_id, kind, messages }, index) => ({
      prompt_id,
      kind,
      prompt: messages.at(-1)?.content,
      ...Object.fromEntries(
        SITTERS.flatMap((sitter) => [
          [`${sitter}_score`, results[sitter][index]?.score],
          [`${sitter}_answer`, textOf(sitter, prompt_id)],
        ]),
      ),
    }));
    await writeLines(join(context.out, 'scores.jsonl'), lines);
    await writeFile(join(context.out, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(
      join(context.out, 'README.md'),
      datasetCard('Exam', `Three models on ${prompts.length} held-out prompts, graded by ${judge.model}.`, {
        default: { exam: 'scores.jsonl' },
      }),
    );
    return { metrics: { ...report }, costUsd: session.summary().costUsd };
  });
};
