import * as z from 'zod';
import type { CallFields } from '../calls/call-config.ts';
import { ZephyrError } from '../errors.ts';
import { parseRef, type RepoId, type RepoType, repoName } from '../model/artifact.ts';
import type { TeacherSpec } from '../teachers/spec.ts';
import type { StepInput } from './stage.ts';

/** A recipe with every default filled in, as every stage sees it: a stage says itself which sections it reads besides. */
export interface RecipeContext {
  readonly $schema?: string | undefined;
  readonly name: string;
  readonly namespace: string;
  /** Every draw of every stage is keyed by this number. */
  readonly seed: number;
  /** A source text, see `inputOf`: `hf://models/...`, in a rehearsal `setup/base`. */
  readonly base: string;
  readonly template: 'zephyr';
  /** system turn of dialogues and prompts without one */
  readonly system: 'empty' | 'none';
  /** whether dialogues and prompts begin with what the tokenizer of the base puts before a text */
  readonly bos: 'keep' | 'none';
  readonly teachers: Readonly<Record<string, TeacherSpec>>;
  /** by the stage's name, as its spec has it */
  readonly [section: string]: unknown;
}

/** A stage, or one of its steps; a reference to the Hub has a colon. */
const STEP = /^([a-z0-9-]+)(?:\/([a-z0-9-]+))?$/;

/** The schema of a source text: a reference to the Hub, or one of the names of `inputOf` that `own` lists. */
export function sourceText(type: RepoType, own: readonly string[]) {
  const reference = `hf://${type}s/ORG/NAME[@REVISION]`;
  const names = own.filter((name) => !name.startsWith('setup/'));
  return z
    .string()
    .refine((text) => own.includes(text) || parseRef(text)?.type === type, `expected ${[...names, reference].join(' or ')}`);
}

/** A dataset on the Hub; in a rehearsal the practice data. */
export const datasetText = sourceText('dataset', ['setup/world']);

/** A base model on the Hub; in a rehearsal the tiny one. */
export const modelText = sourceText('model', ['setup/base']);

/** A recipe's source text as a step's input: `hf://...` is the Hub's, `dsft` a stage's artifact, `setup/world` one step's. */
export function inputOf(text: string): StepInput {
  const match = STEP.exec(text);
  if (match === null) return { from: 'hub', ref: text };
  const stage = match[1] as string;
  return match[2] === undefined ? { from: 'stage', stage } : { from: 'stage', stage, step: match[2] };
}

/** How a program renders a dialogue, the same in every step of a recipe. */
export function renderingOf({ template, system, bos }: RecipeContext) {
  return { template, system, bos };
}

export function modelRepo(recipe: RecipeContext, suffix: string): RepoId {
  return { type: 'model', name: repoName.parse(`${recipe.namespace}/${recipe.name}-${suffix}`) };
}

export function datasetRepo(recipe: RecipeContext, suffix: string): RepoId {
  return { type: 'dataset', name: repoName.parse(`${recipe.namespace}/${recipe.name}-${suffix}`) };
}

/** How a teacher is called: its model and sampling belong to the fingerprint, the server that it is asked at does not. */
export function callConfig(
  recipe: RecipeContext,
  teacher: string,
  sampling: { readonly temperature: number; readonly topP: number; readonly maxTokens: number },
): CallFields {
  const { model, omit = [] } = recipe.teachers[teacher] ?? {};
  if (model === undefined)
    throw new ZephyrError(`Cannot ask teacher "${teacher}": recipe "${recipe.name}" has none of that name`);
  return {
    teacher,
    model,
    ...(omit.includes('temperature') ? {} : { temperature: sampling.temperature }),
    ...(omit.includes('top_p') ? {} : { top_p: sampling.topP }),
    max_tokens: sampling.maxTokens,
    ...(omit.includes('response_format') ? { structured: false as const } : {}),
  };
}
