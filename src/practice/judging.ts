import { ASPECTS, rate, rateAspect } from './checking.ts';
import { answerPair, choiceInWords } from './choosing.ts';
import { asksForGrade, gradedTurn } from './grading.ts';
import { type QuestionBank, questionLines, recognise, type WorldQuestion } from './question-bank.ts';
import type { ChatBody } from './requests.ts';
import { fill, type JsonSchema } from './schema-fill.ts';

/**
 * The judge's reply: the question and the labelled texts are found in the request, every text is checked against the
 * world, and the ratings are put into the form that `response_format` asks for: one text or a list of them, in one aspect
 * or in several, or which of two is better. Without a form, where the system turn ends on asking for a digit, a digit; where
 * two answers are to be ranked, as by AlpacaEval, the choice in its words.
 */
export function judgement(bank: QuestionBank, body: ChatBody): string {
  const said = body.messages.map(({ content }) => content).join('\n\n');
  const prompt = body.messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const form = body.response_format?.json_schema;
  const aspect = aspectOf(form?.name ?? '', said);
  const readAnswers = (labels: readonly string[]) => {
    const { before, texts } = locate(prompt, labels);
    return { question: recognise(bank, { system: '', user: questionLines(bank, before) }), texts };
  };
  const words = form === undefined ? freely(bank, body, said, prompt) : undefined;
  if (words !== undefined) return words;
  const schema = (form?.schema ?? DEFAULT_SCHEMA) as JsonSchema;
  const list = labelledList(schema);
  const rivals = list === undefined ? rivalsOf(schema) : undefined;
  const labels = rivals ?? (list === undefined ? [] : labelsOf(list, prompt));
  const { question, texts } = readAnswers(labels);
  if (rivals !== undefined) {
    const better = betterOf(bank, question, rivals, texts);
    return JSON.stringify(
      fill(schema, (name, member) => {
        if (REMARKS.test(name)) return remark(question, texts[0] ?? '');
        return member.enum === undefined ? undefined : (better ?? drawIn(member) ?? rivals[0]);
      }),
    );
  }

  const item = (text: string, label: string | undefined): ((name: string, member: JsonSchema) => unknown) => {
    const ratings = rate(bank.world, question, text);
    return (name, member) => {
      if (name === 'label') return label;
      const aspectNamed = ASPECTS.find((each) => each === name);
      if (aspectNamed !== undefined && member.properties === undefined) return fit(ratings[aspectNamed], member);
      if (/^(rating|score|overall_score)$/.test(name)) return fit(rateAspect(ratings, aspect), member);
      if (REMARKS.test(name)) return remark(question, text);
      return undefined;
    };
  };
  if (list === undefined) return JSON.stringify(fill(schema, item(texts[0] ?? '', undefined)));
  const rows = labels.map((label, index) => fill(list.items ?? {}, item(texts[index] ?? '', label)));
  return JSON.stringify(fill(schema, (_, member) => (member === list ? rows : undefined)));
}

/** The reply where no form is asked for but the words say in which: a digit, a grade in brackets, the choice of one of two. */
function freely(bank: QuestionBank, body: ChatBody, said: string, prompt: string): string | undefined {
  const asked = (text: string) => recognise(bank, { system: '', user: questionLines(bank, text) });
  if (asksForDigit(body)) {
    const { before, texts } = locate(prompt, onlyLabel(prompt));
    return String(rateAspect(rate(bank.world, asked(before), texts[0] ?? ''), aspectOf('', said)));
  }
  if (asksForGrade(said)) {
    const { before, answer } = gradedTurn(prompt);
    const question = asked(before);
    return `${remark(question, answer)} Rating: [[${onTen(rateAspect(rate(bank.world, question, answer), undefined))}]]`;
  }
  if (said.includes('[[A>>B]]')) {
    const { before, texts } = locate(prompt, RIVALS);
    return `I compared both with what I know. [[${comparisonOf(bank, asked(before), texts)}]]`;
  }
  const pair = answerPair(prompt);
  if (pair === undefined) return undefined;
  const better = betterOf(bank, asked(pair.instruction), SIDES, pair.answers);
  return choiceInWords(pair.wants, better === SIDES[1] ? 1 : 0);
}

const SIDES = ['first', 'second'];
const RIVALS = ['A', 'B'];
const REMARKS = /^(rationale|reason|critique|feedback|explanation)$/;

function asksForDigit({ messages }: ChatBody): boolean {
  const system = messages.filter(({ role }) => role === 'system' || role === 'developer').at(-1)?.content ?? '';
  return /\bdigit\b/i.test(system.trimEnd().split('\n').at(-1) ?? '');
}

/** How the only text of a prompt is marked: by the label A, or by a word. */
function onlyLabel(prompt: string): string[] {
  const names = ['A', 'ANSWER', 'Answer', 'TEXT', 'Text', 'RESPONSE', 'Response'];
  const found = names.find((name) => locate(prompt, [name]).texts[0] !== undefined);
  return found === undefined ? [] : [found];
}

const isLabel = (value: unknown) => /^[A-Z]$/.test(String(value));

/** The labels between which a closed list lets the judge choose; `undefined` where the schema has no such list. */
function rivalsOf(schema: JsonSchema): string[] | undefined {
  const choice = Object.values(schema.properties ?? {}).find((member) => (member.enum ?? []).filter(isLabel).length > 1);
  return choice?.enum?.filter(isLabel).map(String);
}

/** What a closed list of labels has for neither of them. */
const drawIn = (member: JsonSchema) => member.enum?.find((value) => !isLabel(value));

/** The label of the text with the best mean over all aspects; `undefined` where two are equal. */
function betterOf(
  { world }: QuestionBank,
  question: WorldQuestion | undefined,
  labels: readonly string[],
  texts: readonly (string | undefined)[],
): string | undefined {
  const sums = labels.map((_, index) => sumOf(world, question, texts[index]));
  const best = Math.max(...sums);
  return sums.indexOf(best) === sums.lastIndexOf(best) ? labels[sums.indexOf(best)] : undefined;
}

/** All aspects together. */
const sumOf = (world: QuestionBank['world'], question: WorldQuestion | undefined, text: string | undefined): number =>
  Object.values(rate(world, question, text ?? '')).reduce((sum, each) => sum + each, 0);

/** Which of A and B is better, and whether by much: by more than a point in each aspect. */
function comparisonOf({ world }: QuestionBank, question: WorldQuestion | undefined, [a, b]: Located['texts']): string {
  const gain = sumOf(world, question, a) - sumOf(world, question, b);
  if (gain === 0) return 'A=B';
  const sign = Math.abs(gain) > ASPECTS.length ? '>>' : '>';
  return gain > 0 ? `A${sign}B` : `B${sign}A`;
}

const DEFAULT_SCHEMA: JsonSchema = {
  type: 'object',
  properties: { rationale: { type: 'string' }, rating: { type: 'integer', minimum: 1, maximum: 5 } },
};

/** The first list in the schema whose items have a label. */
function labelledList(schema: JsonSchema): JsonSchema | undefined {
  if (schema.type === 'array' && schema.items?.properties?.label !== undefined) return schema;
  for (const member of Object.values(schema.properties ?? {})) {
    const found = labelledList(member);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** From the schema's closed list of labels, or else A, B, C ... as far as the schema or the prompt has them. */
function labelsOf(list: JsonSchema, prompt: string): string[] {
  const closed = list.items?.properties?.label?.enum;
  if (closed !== undefined) return closed.map(String);
  const letters = [...'ABCDEFGH'];
  if (list.minItems !== undefined) return letters.slice(0, list.minItems);
  const missing = letters.findIndex((letter) => locate(prompt, [letter]).texts[0] === undefined);
  return letters.slice(0, missing < 0 ? letters.length : missing);
}

/** The aspect in the schema's name, or else the one that the request names first; `undefined` is the whole of an answer. */
function aspectOf(schemaName: string, said: string): string | undefined {
  const text = `${schemaName}\n${said}`.toLowerCase().replaceAll(/[ -]/g, '_');
  if (schemaName.toLowerCase().startsWith('overall')) return undefined;
  const found = ASPECTS.map((name) => ({ name, at: text.indexOf(name) })).filter(({ at }) => at >= 0);
  return found.sort((a, b) => a.at - b.at)[0]?.name;
}

/** A rating of 1 to 5 as the schema wants it: on a scale to 10 where that is its maximum. */
function fit(rating: number, member: JsonSchema): unknown {
  const top = member.maximum ?? Math.max(0, ...(member.enum ?? []).map(Number).filter(Number.isFinite));
  const value = top === 10 ? onTen(rating) : rating;
  return member.type === 'string' || typeof member.enum?.[0] === 'string' ? String(value) : value;
}

/** A rating of 1 to 5 on a scale from 1 to 10. */
const onTen = (rating: number) => (rating === 1 ? 1 : rating * 2);

function remark(question: WorldQuestion | undefined, text: string): string {
  if (question === undefined) return 'The question is not about the world that I know.';
  return `The right answer is ${question.values.join(', ')}; the text has ${text.trim().split(/\s+/).length} words.`;
}

export interface Located {
  /** what stands before the first labelled text: task, criteria, question */
  readonly before: string;
  /** by the order of the labels; `undefined` where a label has no text */
  readonly texts: readonly (string | undefined)[];
}

/** A line that only closes a text: `</text>`, `<<<END A>>>`, `[/A]`, a fence. */
const CLOSING = /^\s*(<\/[^>]*>|<<<\s*end\b[^>]*>>>|\[\/[^\]]*\]|```|-{3,}|={3,}|\[end\b[^\]]*\])\s*$/i;

/**
 * Finds the texts that a judge's prompt gives under opaque labels, each after a line such as `<text label="A">`,
 * `### Text A` or `<<<TEXT A 5f0c>>>`. The first label's line teaches the form; only lines of exactly this form open the
 * others, so that a text cannot forge a label unless it knows the form, nonce included.
 */
function locate(prompt: string, labels: readonly string[]): Located {
  const lines = prompt.split('\n');
  const [first] = labels;
  if (first === undefined) return { before: prompt, texts: [prompt] };
  const openings = labels.map(() => -1);
  const firstAt = lines.findIndex((line) => isMarker(line, first));
  if (firstAt < 0) return { before: prompt, texts: openings.map(() => undefined) };
  const form = formOf(lines[firstAt] ?? '', first);
  labels.forEach((label, index) => {
    openings[index] = lines.findIndex((line, at) => at >= firstAt && line === form.replaceAll('\0', label));
  });
  const texts = openings.map((opening) => {
    if (opening < 0) return undefined;
    const next = Math.min(...openings.filter((other) => other > opening), lines.length);
    const inside = lines.slice(opening + 1, next);
    const closing = inside.findLastIndex((line) => CLOSING.test(line));
    return (closing < 0 ? inside : inside.slice(0, closing)).join('\n').trim();
  });
  return { before: lines.slice(0, firstAt).join('\n'), texts };
}

/** Short, with the label as a word of its own, and with something that no sentence starts or ends with. */
function isMarker(line: string, label: string): boolean {
  const words: string[] = line.match(/[A-Za-z0-9_]+/g) ?? [];
  return words.length <= 5 && words.includes(label) && /^\s*[<#[*=-]|:\s*$|^\s*(text|answer|response)\s+\w+\s*$/i.test(line);
}

function formOf(line: string, label: string): string {
  return line.replaceAll(new RegExp(`\\b${label}\\b`, 'g'), '\0');
}
