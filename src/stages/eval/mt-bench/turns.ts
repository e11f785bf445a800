import { join } from 'node:path';
import * as z from 'zod';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import { fillPlaces } from '../../../judging/fill-places.ts';
import type { TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { WITH_REFERENCE } from './config.ts';
import { JUDGE_PROMPTS, type MtBenchQuestion, QUESTIONS, question, REFERENCES } from './data.ts';
import { modelAnswer } from './rejudged.ts';

const judgePrompt = z.looseObject({ name: z.string(), system_prompt: z.string(), prompt_template: z.string() });
const answerLine = z.looseObject({
  prompt_id: z.string(),
  sample: z.int(),
  turn: z.int().default(1),
  text: z.string(),
  finish_reason: z.string(),
  tokens: z.int(),
});
type TurnAnswer = z.infer<typeof answerLine>;

/** An answer that is to be graded, and the judge's messages about it. */
export interface TurnToGrade {
  readonly question: MtBenchQuestion;
  readonly turn: 1 | 2;
  readonly answer: TurnAnswer;
  /** undefined where the prompt was too long for the model: there is nothing to grade */
  readonly messages: readonly { readonly role: 'system' | 'user'; readonly content: string }[] | undefined;
  readonly prompt: string;
}

/** Of one turn, by `QUESTION TURN`. */
export type TurnAnswers = ReadonlyMap<string, TurnAnswer>;

/** The model's own answers. */
export async function ownAnswers(context: TaskContext): Promise<TurnAnswers> {
  const lines = await rowsOf(join(inputFolder(context, 'answers'), 'completions.jsonl'), answerLine);
  return new Map(lines.filter(({ sample }) => sample === 0).map((line) => [`${line.prompt_id} ${line.turn}`, line]));
}

/** The first choice of each line of a file that FastChat calls model_answer. */
export async function publicAnswers(context: TaskContext, file: string): Promise<TurnAnswers> {
  const lines = await rowsOf(join(inputFolder(context, 'rejudged'), file), modelAnswer);
  const answers = lines.flatMap(({ question_id, choices }) =>
    (choices[0]?.turns ?? []).map((text, index): [string, TurnAnswer] => {
      const line = { prompt_id: String(question_id), sample: 0, turn: index + 1, text, finish_reason: 'stop', tokens: 0 };
      return [`${question_id} ${index + 1}`, line];
    }),
  );
  return new Map(answers);
}

/** All turns in the order of the questions, `whose`: a model, for messages. Throws (jobFailed) where an answer is missing. */
export async function readTurns(context: TaskContext, answers: TurnAnswers, whose: string): Promise<TurnToGrade[]> {
  const data = inputFolder(context, 'data');
  const questions = await rowsOf(join(data, QUESTIONS), question);
  const prompts = new Map((await rowsOf(join(data, JUDGE_PROMPTS), judgePrompt)).map((prompt) => [prompt.name, prompt]));
  const references = new Map(
    (await rowsOf(join(data, REFERENCES), modelAnswer)).map((each) => [each.question_id, each.choices[0]?.turns]),
  );
  const answerTo = (id: number, turn: 1 | 2): TurnAnswer => {
    const found = answers.get(`${id} ${turn}`);
    if (found !== undefined) return found;
    throw new ZephyrError(`Cannot grade turn ${turn} of question ${id}: the answers of ${whose} have none to it`, {
      exit: 'jobFailed',
    });
  };
  return questions.flatMap((asked) => {
    const given = [answerTo(asked.question_id, 1), answerTo(asked.question_id, 2)] as const;
    const values = placesOf(asked, given, references.get(asked.question_id));
    return ([1, 2] as const).map((turn): TurnToGrade => {
      const name = `single-${WITH_REFERENCE.has(asked.category) ? 'math-' : ''}v1${turn === 2 ? '-multi-turn' : ''}`;
      const prompt = prompts.get(name);
      if (prompt === undefined)
        throw new Error(`Cannot grade turn ${turn} of question ${asked.question_id}: no prompt "${name}"`);
      const isAnswered = given.slice(0, turn).every(({ finish_reason }) => finish_reason !== 'too_long');
      const messages = [
        { role: 'system' as const, content: prompt.system_prompt },
        { role: 'user' as const, content: fillPlaces(prompt.prompt_template, values) },
      ];
      return {
        question: asked,
        turn,
        answer: given[turn - 1] as TurnAnswer,
        messages: isAnswered ? messages : undefined,
        prompt: name,
      };
    });
  });
}

/** What the places of FastChat's templates stand for. */
function placesOf(
  { question_id, category, turns }: MtBenchQuestion,
  [first, second]: readonly [TurnAnswer, TurnAnswer],
  given: readonly string[] | undefined,
): Record<string, string> {
  const own = { question: turns[0], answer: first.text };
  const both = { question_1: turns[0], answer_1: first.text, question_2: turns[1], answer_2: second.text };
  if (!WITH_REFERENCE.has(category)) return { ...own, ...both };
  const [one, two] = given ?? [];
  if (one === undefined || two === undefined) throw new Error(`Cannot grade question ${question_id}: it has no reference answer`);
  return { ...own, ...both, ref_answer_1: one, ref_answer_2: two };
}

async function rowsOf<Row>(path: string, schema: z.ZodType<Row>): Promise<Row[]> {
  const found: Row[] = [];
  for await (const row of readRows(path)) found.push(schema.parse(row));
  return found;
}
