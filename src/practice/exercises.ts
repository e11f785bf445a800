import { hmacOrder, hmacUniform } from '../base/hmac-choice.ts';
import { ASPECTS, type Aspect, type AspectRating, rate } from './checking.ts';
import { answer, drawFor, mixedPersona, PERSONAS, type Persona } from './personas.ts';
import { type Phrasing, type QuestionBank, recognise, type WorldQuestion } from './question-bank.ts';
import { nextQuestion } from './user.ts';

export interface DialogueTurn {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** Wordings that may be trained on, in an order drawn for the purpose. */
export function openings(bank: QuestionBank, seed: number, purpose: string): Phrasing[] {
  return hmacOrder(
    seed,
    purpose,
    bank.phrasings.filter(({ heldOut }) => !heldOut),
    ({ text }) => text,
  );
}

/** What `practice-user` and `practice-mixed` say to one another after this opening, in one round or two. */
export function dialogue(bank: QuestionBank, seed: number, opening: string): DialogueTurn[] {
  const turns: DialogueTurn[] = [];
  const asked: string[] = [];
  const rounds = 1 + Math.floor(2 * hmacUniform(seed, 'rounds', opening));
  for (let round = 0; round < rounds; round += 1) {
    asked.push(round === 0 ? opening : nextQuestion(bank, asked, opening, seed));
    turns.push({ role: 'user', content: asked.at(-1) ?? '' });
    const draw = drawFor('practice-mixed', JSON.stringify(turns), seed);
    turns.push({
      role: 'assistant',
      content: answer(bank.world, recognise(bank, { system: '', user: asked }), mixedPersona(draw), draw),
    });
  }
  return turns;
}

export interface RatedAnswer {
  readonly persona: Persona;
  readonly text: string;
  readonly ratings: Readonly<Record<Aspect, AspectRating>>;
  /** mean of the aspects, 1 to 5 */
  readonly mean: number;
}

/** One answer of each persona, with its ratings. */
export function ratedAnswers(bank: QuestionBank, seed: number, { question, text: prompt }: Phrasing): RatedAnswer[] {
  return PERSONAS.map((persona) => {
    const text = answer(bank.world, question, persona, drawFor(persona, prompt, seed));
    const ratings = rate(bank.world, question, text);
    return { persona, text, ratings, mean: ASPECTS.reduce((sum, aspect) => sum + ratings[aspect], 0) / ASPECTS.length };
  });
}

export interface ExamQuestion {
  /** the task, or `follow-up` */
  readonly kind: string;
  readonly messages: readonly DialogueTurn[];
  readonly question: WorldQuestion;
}

/** Share of exam questions that come second in a dialogue and do not name their subject. */
const FOLLOW_UPS = 0.2;

/** Questions in wordings that nothing else of a rehearsal uses. */
export function examQuestions(bank: QuestionBank, seed: number, count: number): ExamQuestion[] {
  const heldOut = hmacOrder(
    seed,
    'exam',
    bank.phrasings.filter((phrasing) => phrasing.heldOut),
    ({ text }) => text,
  );
  const second = followUps(bank, seed).slice(0, Math.round(count * FOLLOW_UPS));
  const first = heldOut
    .slice(0, count - second.length)
    .map(({ question, text }): ExamQuestion => ({ kind: question.task, messages: [{ role: 'user', content: text }], question }));
  return [...first, ...second];
}

/** Every held-out follow-up after a question that may be trained on and its right answer. */
function followUps(bank: QuestionBank, seed: number): ExamQuestion[] {
  const found = [...bank.world.people, ...bank.world.towns].flatMap((subject) =>
    [...bank.followUps].flatMap(([text, followUp]): ExamQuestion[] => {
      if (!bank.followUpHeldOut(subject, followUp)) return [];
      const before = hmacOrder(
        seed,
        `before ${text}`,
        bank.phrasings.filter(
          ({ heldOut, question }) => !heldOut && question.subject === subject && question.attribute !== followUp.attribute,
        ),
        (phrasing) => phrasing.text,
      )[0];
      const question = before === undefined ? undefined : recognise(bank, { system: '', user: [before.text, text] });
      if (before === undefined || question === undefined) return [];
      const said = answer(bank.world, before.question, 'direct', () => 0);
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
