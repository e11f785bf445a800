import { estimateTokens } from '../../../datasets/words.ts';
import type { CallForecast } from '../../stage.ts';
import { SHOWN } from './lists.ts';
import type { DsftTeacher } from './spec.ts';

/** Tokens of a turn of the user and of one of the assistant: guesses of the size that UltraChat's turns have. */
const QUESTION = 40;
const ANSWER = 300;
/** of the templates, about */
const INSTRUCTIONS = 110;
const SUBTOPIC = 8;
/** What elaborating adds to an instruction. */
const DETAIL = 40;
/** A text that exists, where they may be longer. */
const MATERIAL = 400;

/** Texts that the user's teacher lists by subject until there are enough: see `openLists`. */
interface Listing {
  readonly purpose: string;
  readonly subjects: number;
  readonly subjectTokens: number;
  /** texts in a list, and tokens of one */
  readonly count: number;
  readonly textTokens: number;
}

/** How the dialogues of one kind begin, and for how many rounds they go on. */
interface Sort {
  readonly share: number;
  readonly turns: { readonly min: number; readonly max: number };
  readonly openingTokens: number;
  readonly listing: Listing;
  /** calls besides the lists, for so many texts that are listed */
  readonly more: (listed: number) => readonly UserCalls[];
}

type UserCalls = Pick<CallForecast, 'purpose' | 'inputTokens' | 'outputTokens'> & { readonly calls: number };

/**
 * What both sides will be asked for so many dialogues of each kind, none being dropped. Every turn is sent with all turns
 * before it, so that input grows with the square of the rounds.
 */
export function forecast(data: DsftTeacher): CallForecast[] {
  const sorts = sortsOf(data);
  const shares = sorts.reduce((sum, { share }) => sum + share, 0);
  const { user, assistant, maxTokens, dialogues, testDialogues } = data;
  return sorts.flatMap((sort) => {
    const items = ((dialogues + testDialogues) * sort.share) / shares;
    const { calls, listed } = listsFor(sort.listing, items);
    const { rounds, beforeAnswer, beforeQuestion } = turnsOf(sort.turns);
    const asked = [calls, ...sort.more(listed)].map(({ calls, ...each }) => ({ ...each, items: calls, callsPerItem: 1 }));
    const question = {
      purpose: 'dialogue question',
      items,
      callsPerItem: rounds - 1,
      inputTokens: INSTRUCTIONS + sort.openingTokens + ANSWER + beforeQuestion * (QUESTION + ANSWER),
      outputTokens: QUESTION,
    };
    const answer = {
      purpose: 'dialogue answer',
      items,
      callsPerItem: rounds,
      inputTokens: sort.openingTokens + beforeAnswer * (QUESTION + ANSWER),
      outputTokens: ANSWER,
    };
    return [
      ...[...asked, question].map((each) => ({ ...each, teacher: user, maxTokens })),
      { ...answer, teacher: assistant, maxTokens },
    ];
  });
}

function sortsOf({ world, writing, material }: DsftTeacher): Sort[] {
  const sorts: Sort[] = [];
  if (world !== undefined) {
    const { topics, subtopics, questions } = world;
    const topicTokens = meanTokens(topics);
    const naming: UserCalls = {
      purpose: 'subtopics',
      calls: topics.length,
      inputTokens: INSTRUCTIONS + topicTokens,
      outputTokens: subtopics * SUBTOPIC,
    };
    sorts.push({
      ...world,
      openingTokens: QUESTION,
      listing: {
        purpose: 'openings',
        subjects: topics.length * Math.max(1, subtopics),
        subjectTokens: topicTokens + (subtopics > 0 ? SUBTOPIC : 0),
        count: questions,
        textTokens: QUESTION,
      },
      more: () => (subtopics > 0 ? [naming] : []),
    });
  }
  if (writing !== undefined) {
    const { types, instructions, elaborated } = writing;
    const inputTokens = INSTRUCTIONS + QUESTION;
    sorts.push({
      ...writing,
      openingTokens: QUESTION + elaborated * DETAIL,
      listing: {
        purpose: 'writing instructions',
        subjects: types.length,
        subjectTokens: meanTokens(types),
        count: instructions,
        textTokens: QUESTION,
      },
      more: (listed) => [
        { purpose: 'elaborated instruction', calls: elaborated * listed, inputTokens, outputTokens: QUESTION + DETAIL },
      ],
    });
  }
  if (material !== undefined) {
    const { texts, instructions, maxCharacters } = material;
    const textTokens = Math.min(MATERIAL, maxCharacters / 4);
    sorts.push({
      ...material,
      openingTokens: QUESTION + textTokens,
      listing: {
        purpose: 'material instructions',
        subjects: texts,
        subjectTokens: textTokens,
        count: instructions,
        textTokens: QUESTION,
      },
      more: () => [],
    });
  }
  return sorts;
}

/** A list a subject in every round; from the second on with what is written already. */
function listsFor({ purpose, subjects, subjectTokens, count, textTokens }: Listing, wanted: number) {
  const rounds = Math.ceil(wanted / Math.max(1, subjects * count));
  let shown = 0;
  for (let round = 0; round < rounds; round += 1) shown += Math.min(SHOWN, round * count) / rounds;
  const calls: UserCalls = {
    purpose,
    calls: rounds * subjects,
    inputTokens: INSTRUCTIONS + subjectTokens + shown * textTokens,
    outputTokens: count * textTokens,
  };
  return { calls, listed: rounds * subjects * count };
}

/** Rounds in the mean, and rounds that are over when a side is asked, in the mean over all its turns. */
function turnsOf({ min, max }: Sort['turns']) {
  const counts = Array.from({ length: max - min + 1 }, (_, more) => min + more);
  const sum = (of: (rounds: number) => number) => counts.reduce((total, rounds) => total + of(rounds), 0);
  const answers = sum((rounds) => rounds);
  const questions = answers - counts.length;
  return {
    rounds: answers / counts.length,
    beforeAnswer: sum((rounds) => (rounds * (rounds - 1)) / 2) / answers,
    beforeQuestion: questions === 0 ? 0 : sum((rounds) => ((rounds - 1) * (rounds - 2)) / 2) / questions,
  };
}

function meanTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + estimateTokens(text), 0) / Math.max(1, texts.length);
}
