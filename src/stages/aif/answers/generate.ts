import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { counter, countsInWords } from '../../../base/counter.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { callFields, callOf } from '../../../calls/call-config.ts';
import { GiveUpAfter } from '../../../calls/give-up-rule.ts';
import { forEachAtOnce, withSession } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder, sessionOf } from '../../step-config.ts';
import { prefetchJudge } from '../judge/prefetch.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, type Completion, eachPrompt, type Prompt } from '../tables.ts';
import { type AnswerFile, openAnswers } from './answer-files.ts';
import { type AssignmentsOf, assignmentFields, memberFields, openAssignments, turnsOf } from './assignments.ts';
import { type Answerer, completionsOf, type Given } from './completions.ts';

const sampling = { temperature: z.number(), top_p: z.number(), max_tokens: z.int() };
const member = z.union([
  z.object({ ...memberFields, call: callFields }),
  z.object({ ...memberFields, input: z.string(), model: z.string(), ...sampling }),
]);
export const generateConfig = z.object({ version: z.literal(3), ...assignmentFields, pool: z.array(member) });
export type GenerateConfig = z.infer<typeof generateConfig>;
type PoolMember = GenerateConfig['pool'][number];

/**
 * Several models answer every prompt. Which ones, and under which principle, depends on seed and prompt alone, so more
 * prompts change nothing for the others. Teachers are asked, models that ran in a job have answered. As soon as all answers
 * to a prompt are in, the judge is asked in advance. Output: the completions, in the order of the prompts.
 */
export const generate: Task = async (context) => {
  const config = generateConfig.parse(context.config);
  const answers = await Answers.open(context, config);
  try {
    return await withSession(sessionOf(context), async (session) => {
      const prompts = () => eachPrompt(inputFolder(context, 'prompts'));
      const sources = new Set<string>();
      let calls = 0;
      for await (const prompt of prompts()) {
        sources.add(prompt.source);
        calls += answers.callsFor(prompt);
      }
      noteStrangers(context, config, sources);
      session.expect(calls);
      await askAll(context, session, answers, prompts());

      const counts = { prompts: 0, flags: counter(), models: counter(), principles: counter() };
      async function* completions(): AsyncGenerator<Completion> {
        for await (const prompt of prompts()) {
          counts.prompts += 1;
          for (const row of await answers.rowsOf(prompt, session, (_, key) => session.read(key))) {
            for (const flag of row.flags) counts.flags.add(flag);
            counts.models.add(row.model);
            counts.principles.add(row.principle ?? 'none');
            yield row;
          }
        }
      }
      const rows = await writeParquet(join(context.out, COMPLETIONS_FILE), COMPLETION_COLUMNS, completions());
      await writeFile(
        join(context.out, 'README.md'),
        datasetCard('Completions', 'Answers of several models to each prompt.', { default: { train: COMPLETIONS_FILE } }),
      );
      noteFlags(context, rows, counts.flags.counts());
      const { costUsd, promptTokens, completionTokens, possibleDoubleSpend, recovered } = session.summary();
      return {
        metrics: {
          completions: rows,
          prompts: counts.prompts,
          flags: counts.flags.counts(),
          by_model: counts.models.counts(),
          by_principle: counts.principles.counts(),
          prompt_tokens: promptTokens,
          completion_tokens: completionTokens,
          possible_double_spend: possibleDoubleSpend,
          recovered,
        },
        costUsd,
      };
    });
  } finally {
    await answers.close();
  }
};

/** Gets each assigned answer, from a teacher or from the file of a job. */
class Answers {
  readonly #config: GenerateConfig;
  readonly #assignmentsOf: AssignmentsOf;
  readonly #members: ReadonlyMap<string, PoolMember>;
  readonly #files = new Map<string, AnswerFile>();

  private constructor(config: GenerateConfig, assignmentsOf: AssignmentsOf) {
    this.#config = config;
    this.#assignmentsOf = assignmentsOf;
    this.#members = new Map(config.pool.map((each) => [each.id, each]));
  }

  static async open(context: TaskContext, config: GenerateConfig): Promise<Answers> {
    const answers = new Answers(config, await openAssignments(config, context.files));
    for (const each of config.pool)
      if ('input' in each) answers.#files.set(each.id, await openAnswers(inputFolder(context, each.input)));
    return answers;
  }

  /** How many calls the answers to a prompt take. */
  callsFor(prompt: Prompt): number {
    return this.#assignmentsOf(prompt).filter(({ member }) => !this.#files.has(member)).length;
  }

  /** The rows of a prompt, replies got by `replyTo`. */
  async rowsOf(
    prompt: Prompt,
    session: CallSession,
    replyTo: (call: Call, key: string) => Promise<Given['reply']>,
  ): Promise<Completion[]> {
    const given = this.#assignmentsOf(prompt).map(async (assignment): Promise<Given> => {
      const own = this.#members.get(assignment.member) as PoolMember;
      const by = answererOf(own);
      if (!('call' in own)) {
        const line = await this.#files.get(assignment.member)?.read(prompt.prompt_id);
        return { assignment, by, key: null, reply: undefined, costUsd: null, line };
      }
      const call = callOf(own.call, 'answer', turnsOf(assignment, prompt.prompt));
      const key = callKey(call);
      const reply = await replyTo(call, key);
      return { assignment, by, key, reply, costUsd: session.usage(key)?.usd ?? null, line: undefined };
    });
    return completionsOf(prompt, await Promise.all(given), this.#config.seed);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}

/** Asks for the answers to every prompt; the replies are in the call log afterwards. */
async function askAll(context: TaskContext, session: CallSession, answers: Answers, prompts: AsyncIterable<Prompt>) {
  const giveUp = new GiveUpAfter<string>(VAIN_AFTER);
  const unanswered = new Unanswered(context);
  const prefetch = context.prefetch && (await prefetchJudge(context.prefetch.config, context.files));
  await forEachAtOnce(
    prompts,
    () => session.inHand,
    async (prompt) => {
      const rows = await answers.rowsOf(prompt, session, async (call) => unanswered.replyIn(call, await session.ask(call)));
      for (const row of rows) if (row.call_key !== null) refuseInVain(giveUp, row);
      // The step does not wait for it, so that a judge that is slow or away holds up no answer. Where an answer is still to
      // come the judge would not see it, and would be asked once more when it is there.
      if (!rows.some(isAwaited)) void prefetch?.(rows, session);
    },
  );
  unanswered.check(session);
}

const isAwaited = ({ call_key, flags }: Completion) => call_key !== null && flags.includes('missing');

/** A teacher is given up when this number of first answers can all be in no pair: its settings are wrong rather than the answers. */
const VAIN_AFTER = 64;

function refuseInVain(giveUp: GiveUpAfter<string>, { member, flags }: Completion): void {
  if (flags.includes('missing')) return;
  giveUp.record(member, !flags.includes('truncated') && !flags.includes('empty'));
  if (!giveUp.isReached(member)) return;
  const what = flags.includes('empty') ? 'empty' : 'cut off';
  throw new ZephyrError(`Cannot use the answers of teacher "${member}": the first ${VAIN_AFTER} are all empty or cut off`, {
    hint: `the last one is ${what}: raise aif.answer.maxTokens, or sampling.maxTokens of this member of the pool; reasoning counts as well`,
  });
}

function noteFlags({ note }: TaskContext, rows: number, flags: Readonly<Record<string, number>>): void {
  const { duplicate: _, ...unpaired } = flags;
  const flagged = countsInWords(unpaired);
  if (flagged !== '') note(`Of ${rows} answers, ${flagged}: these go into no pair, but for refusals of safety prompts`);
}

/** Says which principles no prompt uses: a misspelt source would otherwise silently get the default ones. */
function noteStrangers({ note }: TaskContext, { principles }: GenerateConfig, sources: ReadonlySet<string>): void {
  const strangers = Object.keys(principles).filter((name) => name !== 'default' && !sources.has(name));
  if (strangers.length > 0)
    note(`No prompt is of ${strangers.join(', ')}, named in aif.principles; sources are ${[...sources].sort().join(', ')}`);
}

function answererOf(own: PoolMember): Answerer {
  const { model, temperature = null, top_p = null, max_tokens } = 'call' in own ? own.call : own;
  return { model, temperature, top_p, max_tokens };
}
