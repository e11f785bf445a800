import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { counter, countsInWords } from '../../../base/counter.ts';
import { hmacOrder } from '../../../base/hmac-choice.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { GiveUpAfter } from '../../../calls/give-up-rule.ts';
import { forEachAtOnce, withSession } from '../../../calls/run-calls.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { MESSAGES } from '../../../datasets/conversation.ts';
import { type Columns, writeParquet } from '../../../datasets/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { promptId, sessionOf } from '../../step-config.ts';
import { type Dialogue, dialogue } from './dialogue.ts';
import { type UnlikeOnes, watchUnlike } from './near-duplicates.ts';
import { openOpenings } from './openings.ts';
import { countsByKind, type DialogueKind, type Opening, roundsOf, type Settings, settings } from './settings.ts';
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
  const template = templatesOf(context.files);
  const playUser = await template('next');
  return withSession(sessionOf(context), async (session) => {
    const counts = counter();
    const unanswered = new Unanswered(context);
    const { material } = context.inputs;
    const bench: Workbench = { session, settings: config, template, material, count: counts.add, unanswered };
    const byKind = countsByKind(config, config.dialogues + config.test_dialogues);
    const search = new OpeningSearch(bench, playUser, counts);
    let later = [...byKind].reduce((sum, [kind, count]) => sum + callsFor(config, kind, count), 0);
    const kept: Opening[] = [];
    for (const [kind, count] of byKind) {
      later -= callsFor(config, kind, count);
      if (count > 0) kept.push(...(await search.find(kind, count, later)));
    }
    unanswered.check(session);
    const chosen = hmacOrder(config.seed, 'order', kept, ({ text }) => text);

    const kinds = counter();
    async function* rows(part: readonly Opening[]) {
      for (const opening of part) {
        const replayed = await dialogue(config, playUser, opening, (call) => session.read(callKey(call)));
        for (const flag of replayed.flags) counts.add(`answers: ${flag}`);
        if (replayed.isCutShort) counts.add('dialogues without a next question');
        kinds.add(opening.kind);
        const { text: prompt, kind, subject } = opening;
        yield { prompt, prompt_id: promptId(prompt), kind, subject, messages: replayed.messages };
      }
    }
    const held = Math.min(config.test_dialogues, chosen.length);
    const test = await writeParquet(join(context.out, file('test_sft')), COLUMNS, rows(chosen.slice(0, held)));
    const train = await writeParquet(join(context.out, file('train_sft')), COLUMNS, rows(chosen.slice(held)));
    if (train === 0) throw noDialogue(counts.counts());
    await writeFile(join(context.out, 'README.md'), cardOf(config));
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

/** A search ends when more openings than this were asked for each one that is kept. */
const MOST_ASKED = 10;

/** The assistant is given up when this number of first dialogues are all dropped, since the next would be too. */
const VAIN_AFTER = 64;

/** Finds openings whose dialogues are kept, by holding these dialogues. */
class OpeningSearch {
  readonly #bench: Workbench;
  readonly #playUser: string;
  readonly #counts: ReturnType<typeof counter>;
  readonly #giveUp = new GiveUpAfter<string>(VAIN_AFTER);
  /** Texts of all kinds that were tried before: no text opens two dialogues. */
  readonly #tried = new Set<string>();

  constructor(bench: Workbench, playUser: string, counts: ReturnType<typeof counter>) {
    this.#bench = bench;
    this.#playUser = playUser;
    this.#counts = counts;
  }

  /**
   * `count` openings of a kind, or all that can be found. They are taken in an order drawn by the seed; while dialogues are
   * dropped, more openings are asked for, until there are no more. `later`: calls for other kinds, for the progress.
   */
  async find(kind: DialogueKind, count: number, later: number): Promise<Opening[]> {
    const { settings: config } = this.#bench;
    const kept: Opening[] = [];
    const openings = await openOpenings(this.#bench, kind);
    const unlikeOnes: UnlikeOnes =
      config.near_duplicates === 'drop' ? watchUnlike(config.seed) : (all) => ({ unlike: all, alike: 0 });
    for (let wanted = count; ; ) {
      const after = callsFor(config, kind, count - kept.length) + later;
      const all = await openings({ least: count, wanted, after });
      const { unlike, alike } = unlikeOnes(all);
      const untried = unlike.filter(({ text }) => !this.#tried.has(text));
      const different = [...new Map(untried.map((opening) => [opening.text, opening])).values()];
      const open = hmacOrder(config.seed, 'openings', different, ({ text }) => text);
      const next = open.slice(0, count - kept.length);
      for (const { text } of next) this.#tried.add(text);
      kept.push(...(await this.#hold(next, later)));
      // There are no more, or asking for more brings next to nothing.
      const isDry = all.length < wanted || wanted > MOST_ASKED * count;
      if (kept.length >= count || (isDry && open.length <= next.length)) {
        this.#counts.add('openings almost like another', alike);
        return kept;
      }
      wanted = all.length + count - kept.length;
    }
  }

  /** Those openings whose dialogues are kept. */
  async #hold(openings: readonly Opening[], after: number): Promise<Opening[]> {
    const { session, settings: config, unanswered } = this.#bench;
    const { teacher } = config.assistant;
    const kept = new Set<Opening>();
    session.expect(openings.reduce((sum, opening) => sum + 2 * roundsOf(config, opening) - 1, after));
    const ask = async (call: Call) => unanswered.replyIn(call, await session.ask(call));
    await forEachAtOnce(
      openings,
      () => session.inHand,
      async (opening) => {
        const held = await dialogue(config, this.#playUser, opening, ask);
        const reason = dropReason(config, held);
        if (reason === undefined) kept.add(opening);
        else this.#counts.add(reason);
        if (!held.flags.includes('missing')) this.#giveUp.record(teacher, reason === undefined);
        if (this.#giveUp.isReached(teacher)) throw givenUp(config, this.#counts.counts());
      },
    );
    return openings.filter((opening) => kept.has(opening));
  }
}

function cardOf({ user, assistant }: Settings): string {
  return datasetCard('Dialogues', `Questions of ${user.model}, answers of ${assistant.model}.`, {
    default: { train_sft: file('train_sft'), test_sft: file('test_sft') },
  });
}

function noDialogue(counts: Readonly<Record<string, number>>): ZephyrError {
  return new ZephyrError('Cannot go on without a dialogue: no opening was answered', {
    exit: 'jobFailed',
    hint: `so far: ${countsInWords(counts)}`,
  });
}

function givenUp({ assistant }: Settings, counts: Readonly<Record<string, number>>): ZephyrError {
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

/** Calls that these dialogues take in the mean: an answer a round, a question between two rounds. */
function callsFor(config: Settings, kind: DialogueKind, dialogues: number): number {
  const { min, max } = config[kind]?.turns ?? { min: 1, max: 1 };
  return dialogues * (min + max - 1);
}
