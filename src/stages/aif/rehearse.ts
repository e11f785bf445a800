import type { Rehearsal } from '../module.ts';
import { type RehearsalPlace, type RehearsalProvider, type Rehearsed, SYNTHETIC_DATA } from '../rehearsal.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { judgeSpec } from './judge/spec.ts';
import type { AifDelta, AifRecipe, AifSpec, AifTeachers } from './spec.ts';

/** Temperatures at which the own model answers where it alone does, as in SimPO's on-policy data: several samples a prompt. */
const ON_POLICY = [0.6, 1, 1.4] as const;
const POOL = ['practice-direct', 'practice-rambling', 'practice-evasive', 'practice-careless'] as const;
const JUDGE = 'practice-judge';

export const aifRehearsal = {
  rehearse: rehearseAif,
  reasons: {
    '': 'practice data in the same layout',
    prompts: 'practice prompts, capped',
    pool: 'practice models of four manners in place of the paid ones; the own model stays',
    strong: 'the practice model that answers well; the own model stays',
    weak: 'a practice model that answers badly; the own model stays',
    testPrompts: 'data capped',
    answersPerPrompt: 'at most the four practice models',
    'answer.maxTokens': 'practice answers are short',
    judge: 'the practice judge checks answers, whoever judges',
    'judge.calibration': 'practice pairs carry the labels',
    binarize: 'the practice judge gives ratings, no rewards',
    'binarize.testPrompts': 'data capped',
  },
  inWords: {
    prompts: (aif: AifSpec) => (aif.source === 'teachers' || aif.source === 'delta' ? promptsInWords(aif.prompts) : undefined),
    pool: (aif: AifSpec) => (aif.source === 'teachers' ? aif.pool.map(memberInWords).join(', ') : undefined),
    strong: (aif: AifSpec) => (aif.source === 'delta' ? memberInWords(aif.strong) : undefined),
    weak: (aif: AifSpec) => (aif.source === 'delta' ? memberInWords(aif.weak) : undefined),
  },
} satisfies Rehearsal;

function rehearseAif({ aif }: AifRecipe, { provider }: RehearsalPlace): Rehearsed {
  const section = toyAif(aif, provider);
  const answering =
    section.source === 'teachers' ? section.pool : section.source === 'delta' ? [section.strong, section.weak] : [];
  return { section, teachers: [...answering.flatMap(({ teacher }) => teacher ?? []), JUDGE] };
}

function memberInWords({ teacher, model }: AifDelta['strong']): string | undefined {
  return teacher ?? model;
}

function promptsInWords({ sources }: AifTeachers['prompts']): string {
  return sources
    .map(
      ({ ref, split, list, rows }) =>
        `${rows ?? 'all'} of ${ref === undefined ? `${list.length} in the recipe` : `${ref} ${split}`}`,
    )
    .join(', ');
}

function toyAif(spec: AifSpec, provider: RehearsalProvider): AifSpec {
  switch (spec.source) {
    case 'ratings': {
      const { decontaminate: _, ...kept } = spec;
      return {
        ...kept,
        ref: SYNTHETIC_DATA,
        config: 'ratings',
        split: 'train',
        binarize: { ...spec.binarize, testPrompts: SIZES.testPrompts },
      };
    }
    case 'pairs':
      return {
        source: 'pairs',
        ref: SYNTHETIC_DATA,
        config: 'pairs',
        train: 'train_prefs',
        test: 'test_prefs',
        maxDropped: spec.maxDropped,
      };
    case 'delta': {
      const toy =
        provider === 'artifact'
          ? { strong: { model: spec.weak.model === 'dsft' ? 'setup/base' : 'dsft' }, weak: { model: 'setup/base' } }
          : { strong: { teacher: 'practice-direct' }, weak: { teacher: 'practice-careless' } };
      return {
        ...spec,
        prompts: toyPrompts(spec.prompts),
        strong: toyMember(spec.strong, toy.strong),
        weak: toyMember(spec.weak, toy.weak),
        answer: { ...spec.answer, maxTokens: Math.min(spec.answer.maxTokens, SIZES.answerTokens) },
        testPrompts: SIZES.testPrompts,
      };
    }
    case 'teachers': {
      const teachers = POOL.map((teacher) => ({
        teacher,
        weight: 1,
        engine: 'transformers' as const,
        batchSize: SIZES.batchSize,
      }));
      const policy = spec.pool.find(({ model }) => model === 'dsft');
      const local = ON_POLICY.map((sampled) => ({
        model: 'dsft',
        weight: 1,
        engine: 'transformers' as const,
        batchSize: SIZES.batchSize,
        sampling: { temperature: sampled },
      }));
      const pool = provider === 'artifact' ? local : policy === undefined ? teachers : [...teachers, toyPolicy(policy)];
      return {
        ...spec,
        prompts: toyPrompts(spec.prompts),
        pool,
        answersPerPrompt: Math.min(spec.answersPerPrompt, SIZES.answersPerPrompt, pool.length),
        answer: { ...spec.answer, maxTokens: Math.min(spec.answer.maxTokens, SIZES.answerTokens) },
        judge: toyJudge(spec.judge),
        binarize: toyBinarize(spec),
      };
    }
  }
}

/** The own model keeps its weight, its share and its temperature. */
function toyPolicy(policy: AifTeachers['pool'][number]): AifTeachers['pool'][number] {
  const { maxTokens, ...sampling } = policy.sampling ?? {};
  const cut = maxTokens === undefined ? sampling : { ...sampling, maxTokens: Math.min(maxTokens, SIZES.answerTokens) };
  return { ...policy, ...(policy.sampling && { sampling: cut }), engine: 'transformers', batchSize: SIZES.batchSize };
}

/** The own model stays, all others are `toy`. */
function toyMember(
  { model }: AifDelta['strong'],
  toy: { readonly teacher: string } | { readonly model: string },
): AifDelta['strong'] {
  const local = { engine: 'transformers' as const, batchSize: SIZES.batchSize };
  return model === 'dsft' ? { ...local, model } : { ...local, ...toy };
}

/** Practice prompts follow few patterns, so near duplicates are listed and never dropped. */
function toyPrompts(prompts: AifTeachers['prompts']): AifTeachers['prompts'] {
  const source = {
    name: 'practice',
    ref: SYNTHETIC_DATA,
    config: 'prompts',
    list: [],
    split: 'train_gen',
    column: 'prompt',
    rows: SIZES.prompts,
    safety: false,
  };
  return { ...prompts, sources: [source], nearDuplicates: 'report', decontaminate: [] };
}

/** The practice judge in the place of all judges, a reward model included; practice pairs carry the labels. */
function toyJudge(judge: AifTeachers['judge']): AifTeachers['judge'] {
  if (judge.by === 'reward_model') return judgeSpec.parse({ teachers: [JUDGE], permutations: 1 });
  const { fallback: _, calibration, ...kept } = judge;
  const labels = calibration && { calibration: { ...calibration, ref: SYNTHETIC_DATA, config: 'pairs', split: 'test_prefs' } };
  return { ...kept, teachers: [JUDGE], ...labels };
}

/** Leaves out the settings that count in points of a reward, since ratings stand in for rewards. */
function toyBinarize({ judge, binarize }: AifTeachers): AifTeachers['binarize'] {
  const toy = { ...binarize, testPrompts: SIZES.testPrompts };
  if (judge.by === 'teachers') return toy;
  const { minMargin: _, minChosen: __, marginBand: ___, ...kept } = toy;
  return { ...kept, score: 'mean_aspects', rejected: kept.rejected === 'margin_band' ? 'random_lower' : kept.rejected };
}
