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
  'dsft.data.turns': 'a tiny model has a short memory',
  'dsft.data.maxTokens': 'practice answers are short',
  'dsft.prepare.maxLength': 'a tiny model has a short memory',
  'dsft.prepare.decontaminate': 'practice data holds no benchmark',
  'dsft.train': 'sized for a tiny model on a CPU',
  'dsft.lora': 'sized for a tiny model; quantization needs a GPU, the adapters are real',
  aif: 'practice data in the same layout',
  'aif.prompts': 'practice prompts, capped',
  'aif.pool': 'practice models of four manners in place of the paid ones; the own model stays',
  'aif.answersPerPrompt': 'at most the four practice models',
  'aif.answer.maxTokens': 'practice answers are short',
  'aif.judge.teacher': 'the practice judge checks answers',
  'aif.binarize.testPrompts': 'data capped',
  'ddpo.prepare': 'a tiny model has a short memory',
  'ddpo.train': 'sized for a tiny model on a CPU',
  'ddpo.lora': 'sized for a tiny model; quantization needs a GPU, the adapters are real',
};

/** Every value in which the two recipes differ. */
export function rehearsalDifferences(recipe: Recipe, rehearsal: Recipe): RehearsalDifference[] {
  return different('', recipe, rehearsal);
}

/** Sections that stand for one decision are listed whole. */
const WHOLE: ReadonlySet<string> = new Set([
  'teachers',
  'setup',
  'exam',
  'dsft.data.datasets',
  'dsft.data.turns',
  'aif.prompts',
  'aif.pool',
]);

function different(path: string, recipe: unknown, rehearsal: unknown): RehearsalDifference[] {
  if (JSON.stringify(recipe) === JSON.stringify(rehearsal)) return [];
  if (!isMapping(recipe) || !isMapping(rehearsal) || WHOLE.has(path)) return [{ path, recipe, rehearsal, why: reason(path) }];
  const keys = [...new Set([...Object.keys(recipe), ...Object.keys(rehearsal)])];
  return keys.flatMap((key) => different(path === '' ? key : `${path}.${key}`, recipe[key], rehearsal[key]));
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
