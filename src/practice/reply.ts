import { judgement } from './judging.ts';
import { answer, drawFor, mixedPersona, PERSONAS } from './personas.ts';
import { makeQuestionBank, type QuestionBank, recognise } from './question-bank.ts';
import type { ChatBody } from './requests.ts';
import { nextQuestions } from './user.ts';

export const MODELS = [
  ...PERSONAS.map((persona) => `practice-${persona}`),
  'practice-mixed',
  'practice-user',
  'practice-judge',
  'practice-echo',
] as const;

/** Words of a reply by the practice model `model`; `undefined` when there is no such model. The same request gets the same words. */
export function replyText(bank: QuestionBank, model: string, body: ChatBody): string | undefined {
  const seed = body.seed ?? undefined;
  if (model === 'practice-judge') return judgement(bank, body);
  if (model === 'practice-echo') return `echo: ${body.messages.at(-1)?.content}`;
  if (model === 'practice-user') return nextQuestions(bank, body);
  const said = body.messages.map(({ role, content }) => `${role}: ${content}`).join('\n');
  const draw = drawFor(model, said, seed);
  const persona = model === 'practice-mixed' ? mixedPersona(draw) : PERSONAS.find((name) => model === `practice-${name}`);
  if (persona === undefined) return undefined;
  const heard = {
    system: body.messages
      .filter(({ role }) => role === 'system' || role === 'developer')
      .map(({ content }) => content)
      .join('\n'),
    user: body.messages.filter(({ role }) => role === 'user').map(({ content }) => content),
  };
  return answer(bank.world, recognise(bank, heard), persona, draw);
}

const banks = new Map<string, QuestionBank>();

/** The question bank of a seed, made once. */
export function questionBankOf(seed: number | string): QuestionBank {
  const known = banks.get(String(seed)) ?? makeQuestionBank(seed);
  banks.set(String(seed), known);
  return known;
}
