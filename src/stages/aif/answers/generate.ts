import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { counter, countsInWords } from '../../../base/counter.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { callFields, callOf } from '../../../calls/call-config.ts';
import { forEachAtOnce } from '../../../calls/for-each.ts';
import { type InVain, watchInVain } from '../../../calls/give-up-after.ts';
import { withSession } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { datasetCard } from '../../../datasets/dataset-card.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder, sessionOf } from '../../step-config.ts';
import { judgeAhead } from '../judge/prefetch.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, type Completion, eachPrompt, type Prompt } from '../tables.ts';
import { type AnswerFile, openAnswers } from './answer-files.ts';
import { memberFields, type Slot, slotMaker, slotsFields, turnsOf } from './assignments.ts';
import { type Answerer, completionsOf, type Given } from './completions.ts';

const sampling = { temperature: z.number(), top_p: z.number(), max_tokens: z.int() };
const member = z.union([
  z.object({ ...memberFields, call: callFields }),
  z.object({ ...memberFields, input: z.string(), model: z.string(), ...sampling }),
]);
export const generateConfig = z.object({ version: z.literal(3), ...slotsFields, pool: z.array(member) });
export type GenerateConfig = z.infer<typeof generateConfig>;
type Member = GenerateConfig['pool'][number];

/**
 * Several models answer every prompt. Which ones, and under which principle, depends on seed and prompt alone, so more
 * prompts change nothing for the others. Teachers are asked, models that ran in a job have answered. As soon as all answers
 * to a prompt are in, the judge is asked in advance. Output: the completions, in the order of the prompts.
 */
export const generate: Task = async (context) => {
  const config = generateConfig.parse(context.config);
  const folder = inputFolder(context, 'prompts');
  const slotsOf = await slotMaker(config, context.files);
  const members = new Map(config.pool.map((each) => [each.id, each]));
  const answers = await openAnswerFiles(context, config.pool);
  const callFor = (slot: Slot, prompt: Prompt): Call | undefined => {
    const own = members.get(slot.member) as Member;
    return 'call' in own ? callOf(own.call, 'answer', turnsOf(slot, prompt.prompt)) : undefined;
  };
  /** The rows of a prompt, its replies got by `replyTo`. */
  async function rowsOf(
    prompt: Prompt,
    session: CallSession,
    replyTo: (call: Call, key: string) => Promise<Given['reply']>,
  ): Promise<Completion[]> {
    const given = slotsOf(prompt).map(async (slot): Promise<Given> => {
      const by = answererOf(members.get(slot.member) as Member);
      const call = callFor(slot, prompt);
      if (call === undefined) {
        const line = await answers.get(slot.member)?.read(prompt.prompt_id);
        return { slot, by, key: null, reply: undefined, costUsd: null, line };
      }
      const key = callKey(call);
      const reply = await replyTo(call, key);
      return { slot, by, key, reply, costUsd: session.usage(key)?.usd ?? null, line: undefined };
    });
    return completionsOf(prompt, await Promise.all(given), config.seed);
  }

  try {
    return await withSession(sessionOf(context), async (session) => {
      const members = watchInVain<string>(VAIN_AFTER);
      const unanswered = new Unanswered(context);
      const judge = context.ahead && (await judgeAhead(context.ahead.config, context.files));
      let calls = 0;
      const sources = new Set<string>();
      for await (const prompt of eachPrompt(folder)) {
        sources.add(prompt.source);
        calls += slotsOf(prompt).filter((slot) => callFor(slot, prompt) !== undefined).length;
      }
      noteStrangers(context, config, sources);
      session.expect(calls);
      await forEachAtOnce(
        eachPrompt(folder),
        () => session.inHand,
        async (prompt) => {
          const rows = await rowsOf(prompt, session, async (call) => unanswered.replyIn(call, await session.ask(call)));
          for (const row of rows) if (row.call_key !== null) refuseInVain(members, row);
          // Not waited for: a judge that is slow, or away, keeps neither answers nor the step.
          // Of an answer that is still to come the judge would see nothing, and be asked once more when it is there.
          if (!rows.some(isAwaited)) void judge?.(rows, session);
        },
      );
      unanswered.check(session);

      const counts = { prompts: 0, flags: counter(), models: counter(), principles: counter() };
      async function* completions(): AsyncGenerator<Completion> {
        for await (const prompt of eachPrompt(folder)) {
          counts.prompts += 1;
          for (const row of await rowsOf(prompt, session, (_, key) => session.read(key))) {
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
    for (const file of answers.values()) await file.close();
  }
};

const isAwaited = ({ call_key, flags }: Completion) => call_key !== null && flags.includes('missing');

/** So many answers of a teacher that can be in no pair, and none that can: its settings are wrong rather than the answers. */
const VAIN_AFTER = 64;

function refuseInVain(members: InVain<string>, { member, flags }: Completion): void {
  if (flags.includes('missing')) return;
  members.heard(member, !flags.includes('truncated') && !flags.includes('empty'));
  if (!members.isHopeless(member)) return;
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

/** A source whose name is misspelt among the principles would go without its own, and nobody would see. */
function noteStrangers({ note }: TaskContext, { principles }: GenerateConfig, sources: ReadonlySet<string>): void {
  const strangers = Object.keys(principles).filter((name) => name !== 'default' && !sources.has(name));
  if (strangers.length > 0)
    note(`No prompt is of ${strangers.join(', ')}, named in aif.principles; sources are ${[...sources].sort().join(', ')}`);
}

function answererOf(own: Member): Answerer {
  const { model, temperature = null, top_p = null, max_tokens } = 'call' in own ? own.call : own;
  return { model, temperature, top_p, max_tokens };
}

async function openAnswerFiles(context: TaskContext, pool: GenerateConfig['pool']): Promise<Map<string, AnswerFile>> {
  const files = new Map<string, AnswerFile>();
  for (const each of pool) if ('input' in each) files.set(each.id, await openAnswers(inputFolder(context, each.input)));
  return files;
}
