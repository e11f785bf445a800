import * as z from 'zod';
import { hmacUniform } from '../../../base/hmac-choice.ts';
import { callFields } from '../../../calls/call-config.ts';

const common = { share: z.number(), turns: z.object({ min: z.int(), max: z.int() }) };

/** The config of the step, as `constructStep` wrote it. */
export const settings = z.object({
  seed: z.int(),
  user: callFields,
  assistant: callFields,
  dialogues: z.int(),
  test_dialogues: z.int(),
  world: z.object({ ...common, topics: z.array(z.string()), subtopics: z.int(), questions: z.int() }).nullable(),
  writing: z.object({ ...common, types: z.array(z.string()), instructions: z.int(), elaborated: z.number() }).nullable(),
  material: z
    .object({
      ...common,
      config: z.string().exactOptional(),
      split: z.string(),
      column: z.string(),
      texts: z.int(),
      max_characters: z.int(),
      instructions: z.int(),
    })
    .nullable(),
  refusals: z.enum(['drop', 'keep']),
  near_duplicates: z.enum(['drop', 'keep']),
});
export type Settings = z.infer<typeof settings>;

/** UltraChat's three sectors. */
const KINDS = ['world', 'writing', 'material'] as const;
export type DialogueKind = (typeof KINDS)[number];

/** How a dialogue begins. */
export interface Opening {
  readonly kind: DialogueKind;
  readonly subject: string;
  readonly text: string;
  /** of a text that exists: what is asked of it, without the text itself */
  readonly instruction?: string;
}

/** Rounds of question and answer of a dialogue, by its kind, drawn by seed and opening. */
export function roundsOf(settings: Settings, { kind, text }: Opening): number {
  const { min, max } = settings[kind]?.turns ?? { min: 1, max: 1 };
  return min + Math.floor(hmacUniform(settings.seed, 'rounds', text) * (max - min + 1));
}

/** How many of `total` dialogues are of each kind: by share, what is left over to the largest remainders. */
export function countsByKind(settings: Settings, total: number): Map<DialogueKind, number> {
  const kinds = KINDS.filter((kind) => settings[kind] !== null);
  const shares = kinds.reduce((sum, kind) => sum + (settings[kind]?.share ?? 0), 0);
  const exact = kinds.map((kind) => ({ kind, count: (total * (settings[kind]?.share ?? 0)) / shares }));
  const left = total - exact.reduce((sum, { count }) => sum + Math.floor(count), 0);
  const more = new Set(
    exact
      .toSorted((a, b) => (b.count % 1) - (a.count % 1) || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
      .slice(0, left)
      .map(({ kind }) => kind),
  );
  return new Map(exact.map(({ kind, count }) => [kind, Math.floor(count) + (more.has(kind) ? 1 : 0)]));
}
