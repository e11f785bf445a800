import { ASPECTS, rate, rateAspect } from './checking.ts';
import { locate } from './locating.ts';
import { type Question, questionLines, recognise, type Syllabus } from './questions.ts';
import type { ChatBody } from './requests.ts';
import { fill, type Schema } from './schema-fill.ts';

/**
 * The judge's reply: the question and the labelled texts are found in the request, every text is checked against the
 * world, and the ratings are put into the form that `response_format` asks for.
 */
export function judgement(syllabus: Syllabus, body: ChatBody): string {
  const said = body.messages.map(({ content }) => content).join('\n\n');
  const prompt = body.messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const schema = (body.response_format?.json_schema?.schema ?? DEFAULT_SCHEMA) as Schema;
  const list = labelledList(schema);
  const labels = list === undefined ? [] : labelsOf(list, prompt);
  const { before, texts } = locate(prompt, labels);
  const question = recognise(syllabus, { system: '', user: questionLines(syllabus, before) });
  const aspect = aspectOf(body.response_format?.json_schema?.name ?? '', said);

  const item = (text: string, label: string | undefined): ((name: string, member: Schema) => unknown) => {
    const ratings = rate(syllabus.world, question, text);
    return (name, member) => {
      if (name === 'label') return label;
      const aspectNamed = ASPECTS.find((each) => each === name);
      if (aspectNamed !== undefined && member.properties === undefined) return fit(ratings[aspectNamed], member);
      if (/^(rating|score|overall_score)$/.test(name)) return fit(rateAspect(ratings, aspect), member);
      if (/^(rationale|reason|critique|feedback|explanation)$/.test(name)) return remark(question, text);
      return undefined;
    };
  };
  if (list === undefined) return JSON.stringify(fill(schema, item(texts[0] ?? '', undefined)));
  const rows = labels.map((label, index) => fill(list.items ?? {}, item(texts[index] ?? '', label)));
  return JSON.stringify(fill(schema, (_, member) => (member === list ? rows : undefined)));
}

const DEFAULT_SCHEMA: Schema = {
  type: 'object',
  properties: { rationale: { type: 'string' }, rating: { type: 'integer', minimum: 1, maximum: 5 } },
};

/** The first list in the schema whose items have a label. */
function labelledList(schema: Schema): Schema | undefined {
  if (schema.type === 'array' && schema.items?.properties?.label !== undefined) return schema;
  for (const member of Object.values(schema.properties ?? {})) {
    const found = labelledList(member);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** From the schema's closed list of labels, or else A, B, C ... as far as the schema or the prompt has them. */
function labelsOf(list: Schema, prompt: string): string[] {
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
function fit(rating: number, member: Schema): unknown {
  const top = member.maximum ?? Math.max(0, ...(member.enum ?? []).map(Number).filter(Number.isFinite));
  const value = top === 10 ? (rating === 1 ? 1 : rating * 2) : rating;
  return member.type === 'string' || typeof member.enum?.[0] === 'string' ? String(value) : value;
}

function remark(question: Question | undefined, text: string): string {
  if (question === undefined) return 'The question is not about the world that I know.';
  return `The right answer is ${question.values.join(', ')}; the text has ${text.trim().split(/\s+/).length} words.`;
}
