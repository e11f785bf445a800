import { hmacOrder, hmacUniform } from '../base/hmac-choice.ts';
import { ASPECTS, type Aspect, type Rating, rate } from './checking.ts';
import { answer, drawFor, MANNERS, type Manner, mixedManner } from './manners.ts';
import { type Phrasing, type Question, recognise, type Syllabus } from './questions.ts';
import { nextQuestion } from './user.ts';

export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** Wordings that may be trained on, in an order drawn for the purpose. */
export function openings(syllabus: Syllabus, seed: number, purpose: string): Phrasing[] {
  return hmacOrder(
    seed,
    purpose,
    syllabus.phrasings.filter(({ heldOut }) => !heldOut),
    ({ text }) => text,
  );
}

/** What `practice-user` and `practice-mixed` say to one another after this opening, in one round or two. */
export function dialogue(syllabus: Syllabus, seed: number, opening: string): Turn[] {
  const turns: Turn[] = [];
  const asked: string[] = [];
  const rounds = 1 + Math.floor(2 * hmacUniform(seed, 'rounds', opening));
  for (let round = 0; round < rounds; round += 1) {
    asked.push(round === 0 ? opening : nextQuestion(syllabus, asked, opening, seed));
    turns.push({ role: 'user', content: asked.at(-1) ?? '' });
    const draw = drawFor('practice-mixed', JSON.stringify(turns), seed);
    turns.push({
      role: 'assistant',
      content: answer(syllabus.world, recognise(syllabus, { system: '', user: asked }), mixedManner(draw), draw),
    });
  }
  return turns;
}

export interface RatedAnswer {
  readonly manner: Manner;
  readonly text: string;
  readonly ratings: Readonly<Record<Aspect, Rating>>;
  /** mean of the aspects, 1 to 5 */
  readonly mean: number;
}

/** One answer in each manner, with its ratings. */
export function ratedAnswers(syllabus: Syllabus, seed: number, { question, text: prompt }: Phrasing): RatedAnswer[] {
  return MANNERS.map((manner) => {
    const text = answer(syllabus.world, question, manner, drawFor(manner, prompt, seed));
    const ratings = rate(syllabus.world, question, text);
    return { manner, text, ratings, mean: ASPECTS.reduce((sum, aspect) => sum + ratings[aspect], 0) / ASPECTS.length };
  });
}

export interface ExamQuestion {
  /** the task, or `follow-up` */
  readonly kind: string;
  readonly messages: readonly Turn[];
  readonly question: Question;
}

/** Share of exam questions that come second in a dialogue and name nobody. */
const FOLLOW_UPS = 0.2;

/** Questions in wordings that nothing else of a rehearsal uses. */
export function examQuestions(syllabus: Syllabus, seed: number, count: number): ExamQuestion[] {
  const heldOut = hmacOrder(
    seed,
    'exam',
    syllabus.phrasings.filter((phrasing) => phrasing.heldOut),
    ({ text }) => text,
  );
  const second = followUps(syllabus, seed).slice(0, Math.round(count * FOLLOW_UPS));
  const first = heldOut
    .slice(0, count - second.length)
    .map(({ question, text }): ExamQuestion => ({ kind: question.task, messages: [{ role: 'user', content: text }], question }));
  return [...first, ...second];
}

/** Every held-out follow-up after a question that may be trained on and its right answer. */
function followUps(syllabus: Syllabus, seed: number): ExamQuestion[] {
  const found = [...syllabus.world.people, ...syllabus.world.towns].flatMap((subject) =>
    [...syllabus.followUps].flatMap(([text, followUp]): ExamQuestion[] => {
      if (!syllabus.followUpHeldOut(subject, followUp)) return [];
      const before = hmacOrder(
        seed,
        `before ${text}`,
        syllabus.phrasings.filter(
          ({ heldOut, question }) => !heldOut && question.subject === subject && question.attribute !== followUp.attribute,
        ),
        (phrasing) => phrasing.text,
      )[0];
      const question = before === undefined ? undefined : recognise(syllabus, { system: '', user: [before.text, text] });
      if (before === undefined || question === undefined) return [];
      const said = answer(syllabus.world, before.question, 'direct', () => 0);
      return [
        {
          kind: 'follow-up',
          question,
          messages: [
            { role: 'user', content: before.text },
            { role: 'assistant', content: said },
            { role: 'user', content: text },
          ],
        },
      ];
    }),
  );
  return hmacOrder(seed, 'exam follow-ups', found, ({ messages }) => JSON.stringify(messages));
}
