import { estimateTokens } from '../../../datasets/words.ts';
import type { CallForecast } from '../../stage.ts';
import { TOKENS } from '../../token-guesses.ts';
import type { DsftTeacher } from './spec.ts';

/** Texts of a subject that a request for more shows to the teacher: showing all of them would cost more each time. */
export const SHOWN = 40;

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
  /** calls besides the lists, for a number of listed texts */
  readonly more: (listed: number) => readonly UserCalls[];
}

type UserCalls = Pick<CallForecast, 'purpose' | 'inputTokens' | 'outputTokens'> & { readonly calls: number };

/**
 * What both sides will be asked for the dialogues of each kind if none is dropped. Every turn is sent with all turns
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
      inputTokens:
        TOKENS.userTemplate +
        sort.openingTokens +
        TOKENS.assistantTurn +
        beforeQuestion * (TOKENS.userTurn + TOKENS.assistantTurn),
      outputTokens: TOKENS.userTurn,
    };
    const answer = {
      purpose: 'dialogue answer',
      items,
      callsPerItem: rounds,
      inputTokens: sort.openingTokens + beforeAnswer * (TOKENS.userTurn + TOKENS.assistantTurn),
      outputTokens: TOKENS.assistantTurn,
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
      inputTokens: TOKENS.userTemplate + topicTokens,
      outputTokens: subtopics * TOKENS.subtopic,
    };
    sorts.push({
      ...world,
      openingTokens: TOKENS.userTurn,
      listing: {
        purpose: 'openings',
        subjects: topics.length * Math.max(1, subtopics),
        subjectTokens: topicTokens + (subtopics > 0 ? TOKENS.subtopic : 0),
        count: questions,
        textTokens: TOKENS.userTurn,
      },
      more: () => (subtopics > 0 ? [naming] : []),
    });
  }
  if (writing !== undefined) {
    const { types, instructions, elaborated } = writing;
    const inputTokens = TOKENS.userTemplate + TOKENS.userTurn;
    sorts.push({
      ...writing,
      openingTokens: TOKENS.userTurn + elaborated * TOKENS.detail,
      listing: {
        purpose: 'writing instructions',
        subjects: types.length,
        subjectTokens: meanTokens(types),
        count: instructions,
        textTokens: TOKENS.userTurn,
      },
      more: (listed) => [
        {
          purpose: 'elaborated instruction',
          calls: elaborated * listed,
          inputTokens,
          outputTokens: TOKENS.userTurn + TOKENS.detail,
        },
      ],
    });
  }
  if (material !== undefined) {
    const { texts, instructions, maxCharacters } = material;
    const textTokens = Math.min(TOKENS.material, maxCharacters / 4);
    sorts.push({
      ...material,
      openingTokens: TOKENS.userTurn + textTokens,
      listing: {
        purpose: 'material instructions',
        subjects: texts,
        subjectTokens: textTokens,
        count: instructions,
        textTokens: TOKENS.userTurn,
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
    inputTokens: TOKENS.userTemplate + subjectTokens + shown * textTokens,
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
