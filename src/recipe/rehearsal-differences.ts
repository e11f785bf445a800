import type { AifDelta, AifTeachers } from '../stages/aif/spec.ts';
import type { Recipe } from './recipe.ts';

/** One value that a rehearsal changes, for the plan to print. `undefined`: that side has nothing there. */
export interface RehearsalDifference {
  readonly path: string;
  readonly recipe: unknown;
  readonly rehearsal: unknown;
  readonly why: string;
}

/** By path; the longest one that fits gives the reason. */
const REASONS: Readonly<Record<string, string>> = {
  name: 'toy artifacts must never be taken for real ones',
  base: 'a tiny model of the same architecture with random weights',
  teachers: 'the practice teacher answers and judges, nothing is paid',
  setup: 'makes the practice data and the tiny base model',
  exam: 'asks all three models held-out prompts',
  'dsft.data': 'practice data in the same layout',
  'dsft.data.user': 'the practice teacher plays the user',
  'dsft.data.assistant': 'the practice teacher answers, as a mix of manners',
  'dsft.data.dialogues': 'data capped',
  'dsft.data.testDialogues': 'data capped',
  'dsft.data.nearDuplicates': 'practice questions are few facts in many wordings',
  'dsft.data.world': 'a tiny model has a short memory',
  'dsft.data.writing': 'a tiny model has a short memory',
  'dsft.data.material': 'practice texts, and a tiny model has a short memory',
  'dsft.data.maxTokens': 'practice answers are short',
  'dsft.prepare.maxLength': 'a tiny model has a short memory',
  'dsft.prepare.decontaminate': 'practice data holds no benchmark',
  'dsft.train': 'sized for a tiny model on a CPU',
  'dsft.lora': 'sized for a tiny model; quantization needs a GPU, the adapters are real',
  'dsft.lora.targets': 'a random base knows no words yet, they need adapters as well',
  aif: 'practice data in the same layout',
  'aif.prompts': 'practice prompts, capped',
  'aif.pool': 'practice models of four manners in place of the paid ones; the own model stays',
  'aif.strong': 'the practice model that answers well; the own model stays',
  'aif.weak': 'a practice model that answers badly; the own model stays',
  'aif.testPrompts': 'data capped',
  'aif.answersPerPrompt': 'at most the four practice models',
  'aif.answer.maxTokens': 'practice answers are short',
  'aif.judge': 'the practice judge checks answers, whoever judges',
  'aif.judge.calibration': 'practice pairs carry the labels',
  'aif.binarize': 'the practice judge gives ratings, no rewards',
  'aif.binarize.testPrompts': 'data capped',
  'ddpo.prepare': 'a tiny model has a short memory',
  'ddpo.train': 'sized for a tiny model on a CPU',
  'ddpo.lora': 'sized for a tiny model; quantization needs a GPU, the adapters are real',
  'ddpo.lora.targets': 'a random base knows no words yet, they need adapters as well',
};

/** Sections that stand for one decision: told whole, in a few words. */
const IN_WORDS: Readonly<Record<string, (recipe: Recipe) => unknown>> = {
  teachers: ({ teachers }) => [...new Set(Object.values(teachers).map(({ model }) => model))].join(', ') || 'none',
  setup: ({ setup }) =>
    setup &&
    `${setup.architecture.layers} layers of ${setup.architecture.hidden}, ${setup.vocab} tokens, ${setup.world.examPrompts} exam prompts`,
  exam: ({ exam }) => exam && `answers of at most ${exam.maxTokens} tokens`,
  'dsft.data.datasets': ({ dsft: { data } }) =>
    data.source === 'datasets' ? data.datasets.map(({ ref, train }) => `${ref} ${train}`).join(', ') : undefined,
  'dsft.data.world.turns': ({ dsft: { data } }) => (data.source === 'teacher' ? turnsInWords(data.world?.turns) : undefined),
  'dsft.data.writing.turns': ({ dsft: { data } }) => (data.source === 'teacher' ? turnsInWords(data.writing?.turns) : undefined),
  'aif.prompts': ({ aif }) => (aif.source === 'teachers' || aif.source === 'delta' ? promptsInWords(aif.prompts) : undefined),
  'aif.pool': ({ aif }) =>
    aif.source === 'teachers' ? aif.pool.map(({ teacher, model }) => teacher ?? model).join(', ') : undefined,
  'aif.strong': ({ aif }) => (aif.source === 'delta' ? memberInWords(aif.strong) : undefined),
  'aif.weak': ({ aif }) => (aif.source === 'delta' ? memberInWords(aif.weak) : undefined),
};

function turnsInWords(turns: { readonly min: number; readonly max: number } | undefined): string | undefined {
  return turns && `${turns.min} to ${turns.max}`;
}

function memberInWords(member: AifDelta['strong']): string | undefined {
  return member.teacher ?? member.model;
}

function promptsInWords({ sources }: AifTeachers['prompts']): string {
  return sources
    .map(
      ({ ref, split, list, rows }) =>
        `${rows ?? 'all'} of ${ref === undefined ? `${list.length} in the recipe` : `${ref} ${split}`}`,
    )
    .join(', ');
}

/** Every value in which the two recipes differ. */
export function rehearsalDifferences(recipe: Recipe, rehearsal: Recipe): RehearsalDifference[] {
  const different = (path: string, old: unknown, now: unknown): RehearsalDifference[] => {
    if (JSON.stringify(old) === JSON.stringify(now)) return [];
    const words = IN_WORDS[path];
    if (words !== undefined) return [{ path, recipe: words(recipe), rehearsal: words(rehearsal), why: reason(path) }];
    if (!isMapping(old) || !isMapping(now)) return [{ path, recipe: old, rehearsal: now, why: reason(path) }];
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])];
    return keys.flatMap((key) => different(path === '' ? key : `${path}.${key}`, old[key], now[key]));
  };
  return different('', recipe, rehearsal);
}

function reason(path: string): string {
  for (let prefix = path; prefix !== ''; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('.')))) {
    const found = REASONS[prefix];
    if (found !== undefined) return found;
  }
  throw new Error(`Cannot say why a rehearsal changes "${path}"`);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
