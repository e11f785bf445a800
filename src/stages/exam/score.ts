import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacOrder } from '../../base/hmac-choice.ts';
import { type Call, callKey } from '../../calls/call.ts';
import { callFields } from '../../calls/call-config.ts';
import { repliesTo } from '../../calls/replies.ts';
import { withSession } from '../../calls/run-calls.ts';
import type { CallSession } from '../../calls/session.ts';
import { datasetCard } from '../../datasets/card.ts';
import { writeLines } from '../../datasets/line-file.ts';
import { readRows } from '../../datasets/rows.ts';
import { ZephyrError } from '../../errors.ts';
import { ASPECTS } from '../../judging/question.ts';
import { ratingsFormat } from '../../judging/ratings.ts';
import { judgeCall } from '../../judging/response-format.ts';
import { judgeInstructions } from '../../judging/templates.ts';
import { finishOf } from '../../teachers/finish.ts';
import type { Task, TaskContext } from '../stage.ts';
import { inputFolder, sessionOf } from '../step-config.ts';
import { MODELS, type ModelName, makeReport, type Result } from './report.ts';

/** The teacher that grades, unless the config names another. */
const GRADER = { teacher: 'practice-judge', model: 'practice-judge', temperature: 0, top_p: 1, max_tokens: 1024 };
const scoreConfig = z.object({
  seed: z.int(),
  bootstrap: z.int().positive(),
  judge: callFields.default(GRADER),
  method: z.string().optional(),
});
type ScoreSettings = z.infer<typeof scoreConfig>;

const heldOutPrompt = z.looseObject({
  prompt_id: z.string(),
  kind: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
});
type HeldOutPrompt = z.infer<typeof heldOutPrompt>;
const answerLine = z.looseObject({
  prompt_id: z.string(),
  sample: z.int(),
  text: z.string(),
  finish_reason: z.string(),
  tokens: z.int(),
});
/** by model, then by prompt */
type ModelAnswers = Readonly<Record<ModelName, ReadonlyMap<string, z.infer<typeof answerLine>>>>;

/** One question to the judge: all models' answers to a prompt, for one aspect. */
interface AspectQuestion {
  readonly prompt_id: string;
  /** in the order of the labels */
  readonly order: readonly ModelName[];
  readonly aspect: string;
  readonly call: Call;
}

/**
 * The judge rates the three models' answers to every held-out prompt as it rates answers in `aif`: side by side under opaque
 * labels, in an order drawn for the prompt and the aspect. An answer's score is the mean of its ratings, from 1 to 5,
 * brought to [0, 1]; an empty answer gets 0. Writes `scores.jsonl` and `report.json`.
 */
export const score: Task = async (context) => {
  const settings = scoreConfig.parse(context.config);
  const prompts: HeldOutPrompt[] = [];
  for await (const row of readRows(join(inputFolder(context, 'world'), 'prompts.jsonl'))) prompts.push(heldOutPrompt.parse(row));
  const answersOf = (model: ModelName) => readAnswers(context, model, prompts);
  const answers: ModelAnswers = { base: await answersOf('base'), dsft: await answersOf('dsft'), ddpo: await answersOf('ddpo') };
  const questions = await questionsAbout(context, settings, prompts, answers);
  return withSession(sessionOf(context), async (session) => {
    const ratings = await rate(context, session, questions);
    const resultsOf = (model: ModelName) =>
      prompts.map(({ prompt_id, kind }): Result => {
        const given = ratings.get(`${model} ${prompt_id}`) ?? [1];
        const answer = answers[model].get(prompt_id);
        return {
          kind,
          score: (given.reduce((sum, rating) => sum + rating, 0) / given.length - 1) / 4,
          ended: answer !== undefined && finishOf(answer.finish_reason) === 'normal',
          tokens: answer?.tokens ?? 0,
        };
      });
    const results = { base: resultsOf('base'), dsft: resultsOf('dsft'), ddpo: resultsOf('ddpo') };
    const { bootstrap, seed, method } = settings;
    const report = { ...makeReport(results, bootstrap, seed), ...(method && { method }) };
    const lines = prompts.map(({ prompt_id, kind, messages }, index) => ({
      prompt_id,
      kind,
      prompt: messages.at(-1)?.content,
      ...Object.fromEntries(
        MODELS.flatMap((model) => [
          [`${model}_score`, results[model][index]?.score],
          [`${model}_answer`, answers[model].get(prompt_id)?.text ?? ''],
        ]),
      ),
    }));
    await writeLines(join(context.out, 'scores.jsonl'), lines);
    await writeFile(join(context.out, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(
      join(context.out, 'README.md'),
      datasetCard('Exam', `Three models on ${prompts.length} held-out prompts, graded by ${settings.judge.model}.`, {
        default: { exam: 'scores.jsonl' },
      }),
    );
    return { metrics: { ...report }, costUsd: session.summary().costUsd };
  });
};

async function readAnswers(context: TaskContext, model: ModelName, prompts: readonly HeldOutPrompt[]) {
  const found = new Map<string, z.infer<typeof answerLine>>();
  for await (const row of readRows(join(inputFolder(context, model), 'completions.jsonl'))) {
    const line = answerLine.parse(row);
    if (line.sample === 0) found.set(line.prompt_id, line);
  }
  const missing = prompts.find(({ prompt_id }) => !found.has(prompt_id));
  if (missing !== undefined)
    throw new ZephyrError(`Cannot grade "${model}": it has no answer to prompt "${missing.prompt_id}"`, { exit: 'jobFailed' });
  return found;
}

async function questionsAbout(
  { files }: TaskContext,
  { seed, judge }: ScoreSettings,
  prompts: readonly HeldOutPrompt[],
  answers: ModelAnswers,
): Promise<AspectQuestion[]> {
  const instructions = await Promise.all(ASPECTS.map((aspect) => judgeInstructions(files, aspect)));
  return prompts.flatMap(({ prompt_id, messages }) => {
    const textOf = (model: ModelName) => answers[model].get(prompt_id)?.text ?? '';
    const models = MODELS.filter((model) => textOf(model).trim() !== '');
    if (models.length === 0) return [];
    const prompt =
      messages.length === 1
        ? (messages[0]?.content ?? '')
        : messages.map(({ role, content }) => `${role === 'user' ? 'User' : 'Assistant'}: ${content}`).join('\n\n');
    return ASPECTS.map((aspect, index): AspectQuestion => {
      const order = hmacOrder(seed, `exam ${aspect} ${prompt_id}`, models, (model) => model);
      const question = {
        purpose: `exam ${aspect}`,
        instructions: instructions[index]?.text ?? '',
        prompt: { prompt_id, prompt },
        texts: order.map(textOf),
        format: ratingsFormat(aspect, order.length),
      };
      return { prompt_id, order, aspect, call: judgeCall(judge, question) };
    });
  });
}

/** All ratings of an answer, by `MODEL PROMPT_ID`. */
async function rate(
  context: TaskContext,
  session: CallSession,
  questions: readonly AspectQuestion[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const replies = await repliesTo(context, session, questions);
  const ratings = new Map<string, number[]>();
  for (const { prompt_id, order, aspect, call } of questions) {
    const reading = ratingsFormat(aspect, order.length).read(replies.get(callKey(call)));
    if (!reading.ok)
      throw new ZephyrError(`Cannot grade the answers to prompt "${prompt_id}" for ${aspect}: ${reading.why}`, {
        exit: 'jobFailed',
      });
    order.forEach((model, index) => {
      const rating = reading.found[index]?.rating;
      if (rating != null) ratings.set(`${model} ${prompt_id}`, [...(ratings.get(`${model} ${prompt_id}`) ?? []), rating]);
    });
  }
  return ratings;
}
