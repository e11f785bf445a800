import { configOf, droppedOf } from '../../data-spec.ts';
import { taskStep } from '../../programs.ts';
import { datasetRepo, inputOf, type RecipeContext } from '../../recipe-context.ts';
import type { Step } from '../../stage.ts';
import type { MemberSpec } from '../answers/spec.ts';
import { type AnswersPlan, memberIds } from '../answers/steps.ts';
import type { AifDelta, AifRecipe, AifTeachers } from '../spec.ts';
import type { DeltaConfig } from './delta.ts';
import type { PassPairsConfig } from './pass-pairs.ts';
import type { RebinarizeConfig } from './rebinarize.ts';
import type { BinarizeRule } from './rule.ts';
import { isOnFivePoints } from './scores.ts';
import type { AifPairs, AifRatings, BinarizeSpec } from './spec.ts';
import { UF_ASPECTS } from './ultrafeedback.ts';

/** Task `binarize`: reads the inputs `prompts`, `completions` and `ratings`. */
type BinarizeConfig = BinarizeRule & { readonly version: 2 };

interface RatedAnswers {
  readonly aspects: readonly string[];
  /** by pool member */
  readonly licences: Readonly<Record<string, string>>;
  /** the least margin and the least chosen score where the recipe says nothing */
  readonly minMargin: number;
  readonly minChosen: number | null;
}

function binarizeConfig(recipe: AifRecipe, binarize: BinarizeSpec, rated: RatedAnswers): BinarizeConfig {
  const { prepare } = recipe.ddpo;
  return {
    version: 2,
    seed: recipe.seed,
    score: binarize.score,
    aspects: [...rated.aspects],
    weights: Object.fromEntries(Object.entries(binarize.weights ?? {}).map(([aspect, weight]) => [aspect, weight ?? 0])),
    length_residual: binarize.lengthResidual,
    rejected: binarize.rejected,
    margin_band: binarize.marginBand ?? null,
    ties: binarize.ties,
    min_margin: binarize.minMargin ?? rated.minMargin,
    min_chosen: binarize.minChosen ?? rated.minChosen,
    same_when_cut: binarize.sameWhenCut,
    trainer: { max_length: binarize.trainerMaxLength ?? prepare.maxLength, max_prompt_length: prepare.maxPromptLength },
    cross_check: binarize.crossCheck,
    test_prompts: binarize.testPrompts,
    licences: { ...rated.licences },
  };
}

export function binarizeStep(recipe: AifRecipe, spec: AifTeachers): Step {
  const { binarize, judge } = spec;
  const aspects = judge.by === 'teachers' && judge.mode !== 'pairwise' ? judge.aspects : [];
  const least = isOnFivePoints(binarize.score) ? { minMargin: 0.5, minChosen: 3 } : { minMargin: 0, minChosen: null };
  return taskStep('binarize', {
    stage: 'aif',
    name: 'binarize',
    summary: ruleInWords(binarize),
    inputs: {
      prompts: { from: 'step', step: 'prompts' },
      completions: { from: 'step', step: 'generate' },
      ratings: { from: 'step', step: 'judge' },
    },
    config: binarizeConfig(recipe, binarize, { aspects, licences: licencesOf(recipe, spec), ...least }),
    output: datasetRepo(recipe, 'aif'),
  });
}

export function rebinarizeStep(recipe: AifRecipe, spec: AifRatings): Step {
  const config: RebinarizeConfig = {
    ...binarizeConfig(recipe, spec.binarize, { aspects: UF_ASPECTS, licences: {}, minMargin: 0, minChosen: null }),
    ...configOf(spec),
    split: spec.split,
    ...droppedOf(spec),
    drop_sources: spec.dropSources,
    licence: spec.licence ?? null,
  };
  return taskStep('rebinarize', {
    stage: 'aif',
    name: 'binarize',
    summary: `published ratings: ${ruleInWords(spec.binarize)}`,
    inputs: {
      ratings: inputOf(spec.ref),
      ...(spec.decontaminate === undefined ? {} : { decontaminate: inputOf(spec.decontaminate) }),
    },
    config,
    reads: [
      { input: 'ratings', ...configOf(spec), splits: [spec.split] },
      ...(spec.decontaminate === undefined ? [] : [{ input: 'decontaminate', splits: 'all' as const }]),
    ],
    output: datasetRepo(recipe, 'aif'),
  });
}

function ruleInWords({ score, rejected, marginBand }: BinarizeSpec): string {
  const band = marginBand === undefined ? '' : ` ${marginBand.min} to ${marginBand.max}`;
  return `chosen by ${score}, rejected ${rejected}${band}`;
}

/** The licences by pool member, under the names that the completions of each have. */
function licencesOf(recipe: AifRecipe, { pool }: AifTeachers): Record<string, string> {
  const ids = memberIds(pool);
  const found = pool.map(
    ({ teacher = '', licence }, index) => [ids[index], licence ?? recipe.teachers[teacher]?.licence] as const,
  );
  return Object.fromEntries(found.filter(([, licence]) => licence !== undefined));
}

export function passPairsStep(recipe: AifRecipe, spec: AifPairs): Step {
  const config: PassPairsConfig = {
    version: 3,
    ...configOf(spec),
    train: spec.train,
    test: spec.test,
    rows: spec.rows ?? null,
    ...droppedOf(spec),
  };
  return taskStep('pass-pairs', {
    stage: 'aif',
    name: 'binarize',
    summary: `published pairs of ${spec.ref}`,
    inputs: { pairs: inputOf(spec.ref) },
    config,
    reads: [{ input: 'pairs', ...configOf(spec), splits: spec.test === null ? [spec.train] : [spec.train, spec.test] }],
    output: datasetRepo(recipe, 'aif'),
  });
}

/** Both answer every prompt, under no principle. */
export function deltaAnswers({ prompts, strong, weak, answer }: AifDelta): AnswersPlan {
  const always = (member: MemberSpec) => ({ ...member, weight: 1, share: 1 });
  return { prompts, pool: [strong, weak].map(always), answersPerPrompt: 2, principles: [], answer };
}

export function deltaStep(recipe: RecipeContext, spec: AifDelta): Step {
  const [strong = '', weak = ''] = memberIds([spec.strong, spec.weak]);
  const config: DeltaConfig = { version: 1, seed: recipe.seed, strong, weak, test_prompts: spec.testPrompts };
  return taskStep('delta', {
    stage: 'aif',
    name: 'binarize',
    summary: `${strong} over ${weak}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, completions: { from: 'step', step: 'generate' } },
    config,
    output: datasetRepo(recipe, 'aif'),
  });
}
