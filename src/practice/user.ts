import { hmacUniform } from '../base/hmac-choice.ts';
import { type QuestionBank, questionLines, recognise } from './question-bank.ts';
import type { ChatBody } from './requests.ts';
import { fill, type JsonSchema } from './schema-fill.ts';

/** Share of later questions that go on about the same subject without naming it. */
const FOLLOW_UP_SHARE = 0.5;
/** questions given when a list is asked for without its length */
const LIST_LENGTH = 10;

/** What a user asks next; under a schema with a list of texts, as many opening questions as the request says. */
export function nextQuestions(bank: QuestionBank, body: ChatBody): string {
  const said = body.messages.map(({ content }) => content).join('\n');
  const schema = body.response_format?.json_schema?.schema as JsonSchema | undefined;
  // the user is asked to make an instruction more detailed and adds nothing
  const instruction = /^Instruction: (.+)$/m.exec(body.messages.at(-1)?.content ?? '')?.[1];
  if (schema === undefined && instruction !== undefined) return instruction;
  if (schema === undefined) return nextQuestion(bank, questionLines(bank, said), said, body.seed ?? undefined);
  const isList = (member: JsonSchema) => member.type === 'array' && member.items?.type === 'string';
  const opening = (index: number) => nextQuestion(bank, [], `${said} ${index}`, body.seed ?? undefined);
  const isNew = (question: string) => !said.includes(JSON.stringify(question));
  return JSON.stringify(
    fill(schema, (_, member) => {
      if (isList(member))
        return distinct(
          opening,
          isNew,
          member.minItems ?? member.maxItems ?? Number(/\b([1-9]\d?)\b/.exec(said)?.[1] ?? LIST_LENGTH),
        );
      return member.type === 'string' && member.enum === undefined ? opening(0) : undefined;
    }),
  );
}

function distinct(draw: (index: number) => string, isNew: (text: string) => boolean, count: number): string[] {
  const found = new Set<string>();
  for (let index = 0; found.size < count && index < 20 * count; index += 1) {
    const text = draw(index);
    if (isNew(text)) found.add(text);
  }
  return [...found];
}

/**
 * The subject is the one that the conversation is about, or else a name found in the instruction, or else any. Held-out
 * wordings are never used: whatever is built from these questions may be trained on.
 */
export function nextQuestion(
  bank: QuestionBank,
  asked: readonly string[],
  instruction: string,
  seed: number | undefined,
): string {
  const item = JSON.stringify([instruction, asked, seed ?? null]);
  const draw = (purpose: string) => hmacUniform('practice-user', purpose, item);
  const before = recognise(bank, { system: '', user: asked });
  const subject = before?.subject ?? subjectIn(bank, instruction);
  const done = new Set(asked.map((_, index) => topicOf(bank, asked.slice(0, index + 1))));
  if (before !== undefined && draw('follow-up') < FOLLOW_UP_SHARE) {
    const open = [...bank.followUps].filter(([text, followUp]) => {
      if (bank.followUpHeldOut(before.subject, followUp) || done.has(`${before.subject}/${followUp.attribute}/${followUp.task}`))
        return false;
      return recognise(bank, { system: '', user: [...asked, text] }) !== undefined;
    });
    const chosen = open[Math.floor(draw('which follow-up') * open.length)];
    if (chosen !== undefined) return chosen[0];
  }
  const open = trainable(bank, subject).filter(
    ({ question }) => !done.has(`${question.subject}/${question.attribute}/${question.task}`),
  );
  return (open[Math.floor(draw('which question') * open.length)] ?? bank.phrasings[0])?.text ?? '';
}

const bySubject = new WeakMap<QuestionBank, Map<string | undefined, QuestionBank['phrasings']>>();

function trainable(bank: QuestionBank, subject: string | undefined): QuestionBank['phrasings'] {
  const known = bySubject.get(bank) ?? new Map<string | undefined, QuestionBank['phrasings']>();
  bySubject.set(bank, known);
  const found =
    known.get(subject) ??
    bank.phrasings.filter((phrasing) => !phrasing.heldOut && (subject === undefined || phrasing.question.subject === subject));
  known.set(subject, found);
  return found;
}

function topicOf(bank: QuestionBank, asked: readonly string[]): string | undefined {
  const question = recognise(bank, { system: '', user: asked });
  return question === undefined ? undefined : `${question.subject}/${question.attribute}/${question.task}`;
}

function subjectIn(bank: QuestionBank, instruction: string): string | undefined {
  const names = new Set([...bank.world.people, ...bank.world.towns]);
  // a quoted text comes from an earlier turn, so the instruction is not about it
  return instruction
    .replaceAll(/"[^"\n]*"/g, '')
    .match(/[A-Z][a-z]+/g)
    ?.findLast((word) => names.has(word));
}
