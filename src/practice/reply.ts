import { judgement } from './judging.ts';
import { answer, drawFor, MANNERS, mixedManner } from './manners.ts';
import { makeSyllabus, recognise, type Syllabus } from './questions.ts';
import type { ChatBody } from './requests.ts';
import { nextQuestions } from './user.ts';

export const MODELS = [
  ...MANNERS.map((manner) => `practice-${manner}`),
  'practice-mixed',
  'practice-user',
  'practice-judge',
  'practice-echo',
] as const;

/** Words of a reply by the practice model `model`; `undefined` when there is no such model. The same request gets the same words. */
export function replyText(syllabus: Syllabus, model: string, body: ChatBody): string | undefined {
  const seed = body.seed ?? undefined;
  if (model === 'practice-judge') return judgement(syllabus, body);
  if (model === 'practice-echo') return `echo: ${body.messages.at(-1)?.content}`;
  if (model === 'practice-user') return nextQuestions(syllabus, body);
  const said = body.messages.map(({ role, content }) => `${role}: ${content}`).join('\n');
  const draw = drawFor(model, said, seed);
  const manner = model === 'practice-mixed' ? mixedManner(draw) : MANNERS.find((name) => model === `practice-${name}`);
  if (manner === undefined) return undefined;
  const heard = {
    system: body.messages
      .filter(({ role }) => role === 'system' || role === 'developer')
      .map(({ content }) => content)
      .join('\n'),
    user: body.messages.filter(({ role }) => role === 'user').map(({ content }) => content),
  };
  return answer(syllabus.world, recognise(syllabus, heard), manner, draw);
}

const syllabuses = new Map<string, Syllabus>();

/** The syllabus of a seed, made once. */
export function syllabusOf(seed: number | string): Syllabus {
  const known = syllabuses.get(String(seed)) ?? makeSyllabus(seed);
  syllabuses.set(String(seed), known);
  return known;
}
