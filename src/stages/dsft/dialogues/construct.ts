import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { counter, countsInWords } from '../../../base/counter.ts';
import { hmacOrder } from '../../../base/hmac-choice.ts';
import { callKey } from '../../../calls/call.ts';
import { forEachAtOnce } from '../../../calls/for-each.ts';
import { watchInVain } from '../../../calls/give-up-after.ts';
import { withSession } from '../../../calls/run-calls.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { MESSAGES } from '../../../datasets/conversation.ts';
import { datasetCard } from '../../../datasets/dataset-card.ts';
import { type Columns, writeParquet } from '../../../datasets/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { promptId, sessionOf } from '../../step-config.ts';
import { type Dialogue, dialogue } from './dialogue.ts';
import { type UnlikeOnes, watchUnlike } from './near-duplicates.ts';
import { openOpenings } from './openings.ts';
import { countsByKind, type Kind, type Opening, roundsOf, type Settings, settings } from './settings.ts';
import { templatesOf, type Workbench } from './workbench.ts';

const COLUMNS: Columns = { prompt: 'string', prompt_id: 'string', kind: 'string', subject: 'string', messages: MESSAGES };
const file = (split: string) => `data/${split}-00000-of-00001.parquet`;

/**
 * Dialogues as UltraChat made them: one teacher, playing the user, writes opening messages of three kinds and goes on
 * asking; another answers, for a number of rounds drawn by seed and opening. A dialogue without any answer, or with a
 * refusal, is dropped and another opening takes its place.
 */
export const construct: Task = async (context) => {
  const config = settings.parse(context.config);
  const wanted = config.dialogues + config.test_dialogues;
  const template = templatesOf(context.files);
  const playUser = await template('next');
  return withSession(sessionOf(context), async (session) => {
    const counts = counter();
    const unanswered = new Unanswered(context);
    const { material } = context.inputs;
    const bench: Workbench = { session, settings: config, template, material, count: counts.add, unanswered };
    const replayed = (opening: Opening) => dialogue(config, playUser, opening, (call) => session.read(callKey(call)));

    const assistants = watchInVain<string>(VAIN_AFTER);
    async function hold(openings: readonly Opening[], after: number): Promise<Opening[]> {
      const kept = new Set<Opening>();
      session.expect(openings.reduce((sum, opening) => sum + 2 * roundsOf(config, opening) - 1, after));
      await forEachAtOnce(
        openings,
        () => session.inHand,
        async (opening) => {
          const held = await dialogue(config, playUser, opening, async (call) =>
            unanswered.replyIn(call, await session.ask(call)),
          );
          const reason = dropReason(config, held);
          if (reason === undefined) kept.add(opening);
          else counts.add(reason);
          if (!held.flags.includes('missing')) assistants.heard(config.assistant.teacher, reason === undefined);
          if (assistants.isHopeless(config.assistant.teacher)) throw inVain(config, counts.counts());
        },
      );
      return openings.filter((opening) => kept.has(opening));
    }

    const byKind = countsByKind(config, wanted);
    let later = [...byKind].reduce((sum, [kind, count]) => sum + callsFor(config, kind, count), 0);
    const kept: Opening[] = [];
    const tried = new Set<string>();
    for (const [kind, count] of byKind) {
      later -= callsFor(config, kind, count);
      kept.push(...(await keptOf(bench, { kind, count, later }, tried, hold)));
    }
    unanswered.check(session);
    const chosen = hmacOrder(config.seed, 'order', kept, ({ text }) => text);

    const kinds = counter();
    async function* rows(part: readonly Opening[]) {
      for (const opening of part) {
        const { messages, flags, isCutShort } = await replayed(opening);
        for (const flag of flags) counts.add(`answers: ${flag}`);
        if (isCutShort) counts.add('dialogues without a next question');
        kinds.add(opening.kind);
        yield { prompt: opening.text, prompt_id: promptId(opening.text), kind: opening.kind, subject: opening.subject, messages };
      }
    }
    const held = Math.min(config.test_dialogues, chosen.length);
    const test = await writeParquet(join(context.out, file('test_sft')), COLUMNS, rows(chosen.slice(0, held)));
    const train = await writeParquet(join(context.out, file('train_sft')), COLUMNS, rows(chosen.slice(held)));
    if (train === 0)
      throw new ZephyrError('Cannot go on without a dialogue: no opening was answered', {
        exit: 'jobFailed',
        hint: `so far: ${countsInWords(counts.counts())}`,
      });
    await writeFile(
      join(context.out, 'README.md'),
      datasetCard('Dialogues', `Questions of ${config.user.model}, answers of ${config.assistant.model}.`, {
        default: { train_sft: file('train_sft'), test_sft: file('test_sft') },
      }),
    );
    const told = countsInWords(counts.counts());
    if (told !== '') context.note(`Besides ${train + test} dialogues: ${told}`);
    const { costUsd, possibleDoubleSpend, recovered } = session.summary();
    return {
      metrics: {
        train_sft: train,
        test_sft: test,
        by_kind: kinds.counts(),
        counts: counts.counts(),
        possible_double_spend: possibleDoubleSpend,
        recovered,
      },
      costUsd,
    };
  });
};

/** Openings asked for, at most, for one that is kept. */
const MOST_ASKED = 10;

/**
 * So many openings of a kind whose dialogues are kept, as far as they can be had. Openings are taken in an order drawn by
 * the seed; while dialogues are dropped, more openings are asked for, until there are no more. `tried` are
 * the texts of all kinds that were tried before: no text opens two dialogues. `later`: calls for other kinds.
 */
async function keptOf(
  bench: Workbench,
  { kind, count, later }: { readonly kind: Kind; readonly count: number; readonly later: number },
  tried: Set<string>,
  hold: (openings: readonly Opening[], after: number) => Promise<Opening[]>,
): Promise<Opening[]> {
  if (count === 0) return [];
  const { settings: config, count: add } = bench;
  const kept: Opening[] = [];
  const openings = await openOpenings(bench, kind);
  const unlikeOnes: UnlikeOnes =
    config.near_duplicates === 'drop' ? watchUnlike(config.seed) : (all) => ({ unlike: all, alike: 0 });
  for (let wanted = count; kept.length < count; ) {
    const after = callsFor(config, kind, count - kept.length) + later;
    const all = await openings({ least: count, wanted, after });
    const { unlike, alike } = unlikeOnes(all);
    const untried = [...new Map(unlike.map((opening) => [opening.text, opening])).values()].filter(
      ({ text }) => !tried.has(text),
    );
    const open = hmacOrder(config.seed, 'openings', untried, ({ text }) => text);
    const next = open.slice(0, count - kept.length);
    for (const { text } of next) tried.add(text);
    const good = await hold(next, later);
    kept.push(...good);
    // No more are to be had, or asking for more brings next to nothing.
    const isDry = all.length < wanted || wanted > MOST_ASKED * count;
    if (kept.length >= count || (isDry && open.length <= next.length)) {
      add('openings almost like another', alike);
      break;
    }
    wanted = all.length + count - kept.length;
  }
  return kept;
}

/** So many dialogues without one that is kept, and going on is taken to make no sense. */
const VAIN_AFTER = 64;

function inVain({ assistant }: Settings, counts: Readonly<Record<string, number>>): ZephyrError {
  return new ZephyrError(
    `Cannot use the answers of teacher "${assistant.teacher}": no dialogue of the first ${VAIN_AFTER} is kept`,
    {
      hint: `so far: ${countsInWords(counts)}; look at the teacher, at dsft.data.maxTokens and at dsft.data.refusals`,
    },
  );
}

function dropReason({ refusals }: Settings, { messages, flags }: Dialogue): string | undefined {
  if (messages.length < 2 && flags.includes('truncated')) return 'dialogues whose first answer is cut off';
  if (messages.length < 2) return 'dialogues without an answer';
  if (refusals === 'drop' && flags.includes('refusal')) return 'dialogues with a refusal';
  return undefined;
}

/** Of so many dialogues in the mean: an answer a round, a question between two rounds. */
function callsFor(config: Settings, kind: Kind, dialogues: number): number {
  const { min, max } = config[kind]?.turns ?? { min: 1, max: 1 };
  return dialogues * (min + max - 1);
}
