import { judgeSpec } from '../stages/aif/judge/spec.ts';
import type { AifDelta, AifSpec, AifTeachers } from '../stages/aif/spec.ts';
import type { DdpoSpec } from '../stages/ddpo/spec.ts';
import type { DsftSpec } from '../stages/dsft/spec.ts';
import { SIZES } from '../stages/rehearsal-sizes.ts';
import type { LoraSpec, TrainingSpec } from '../stages/training-spec.ts';
import { teacherSpec } from '../teachers/spec.ts';
import type { Recipe } from './recipe.ts';
import { type RehearsalDifference, rehearsalDifferences } from './rehearsal-differences.ts';
import type { Target } from './target.ts';

/** How a rehearsal asks its teachers; with `artifact` only models on this machine answer the prompts. */
export const REHEARSAL_PROVIDERS = ['openai', 'huggingface', 'self-hosted', 'batch', 'artifact'] as const;
export type RehearsalProvider = (typeof REHEARSAL_PROVIDERS)[number];

/** Temperatures at which the own model answers where it alone does, as in SimPO's on-policy data: several samples a prompt. */
const ON_POLICY = [0.6, 1, 1.4] as const;

const WORLD = 'setup/world';
const POOL = ['practice-direct', 'practice-rambling', 'practice-evasive', 'practice-careless'] as const;
const USER = 'practice-user';
const ASSISTANT = 'practice-mixed';
const JUDGE = 'practice-judge';

/**
 * The same recipe at toy size: a tiny base model of the same architecture, practice data and practice teachers in place
 * of the Hub's and the paid ones, sizes of `SIZES`. Everything else is as the recipe says; `differences` lists the rest.
 */
export function toRehearsal(
  recipe: Recipe,
  provider: RehearsalProvider = 'openai',
): { readonly recipe: Recipe; readonly differences: readonly RehearsalDifference[] } {
  const dsft = toyDsft(recipe.dsft);
  const aif = toyAif(recipe.aif, provider);
  const rehearsal: Recipe = {
    ...recipe,
    name: `${recipe.name}-rehearsal`,
    base: 'setup/base',
    teachers: practiceTeachers(dsft, aif, provider),
    dsft,
    aif,
    ddpo: toyDdpo(recipe.ddpo),
    setup: {
      world: {
        dialogues: SIZES.sftDialogues,
        testDialogues: SIZES.sftTestDialogues,
        prompts: SIZES.prompts,
        pairs: SIZES.prompts,
        testPairs: SIZES.testPrompts,
        ratings: SIZES.prompts,
        examPrompts: SIZES.examPrompts,
      },
      architecture: {
        modelType: 'mistral',
        hidden: SIZES.hidden,
        layers: SIZES.layers,
        heads: SIZES.heads,
        kvHeads: SIZES.kvHeads,
        intermediate: SIZES.intermediate,
        maxLength: SIZES.maxLength,
      },
      vocab: SIZES.vocab,
    },
    exam: { maxTokens: SIZES.answerTokens, batchSize: SIZES.batchSize, temperature: 1, bootstrap: SIZES.bootstrap },
  };
  return { recipe: rehearsal, differences: rehearsalDifferences(recipe, rehearsal) };
}

/**
 * Toy batches fit at once: one rank and one micro batch a step, whatever the target has for real models. One thread,
 * because threads that wait for one another cost a tiny model more than they save: sevenfold on a busy machine.
 */
export function toRehearsalTarget(target: Target, { dsft, ddpo }: Recipe): Target {
  const microBatch = { dsft: dsft.train.globalBatch, ddpo: ddpo.train.globalBatch };
  return { ...target, hardware: { ...target.hardware, device: 'cpu', nodes: 1, processes: 1, threads: 1, microBatch } };
}

function toyDsft(spec: DsftSpec): DsftSpec {
  const { data, prepare } = spec;
  const { decontaminate: _, ...kept } = prepare;
  const toy: DsftSpec = {
    data:
      data.source === 'datasets'
        ? {
            source: 'datasets',
            datasets: [{ ref: WORLD, config: 'dialogues', train: 'train_sft', test: 'test_sft', fraction: 1 }],
          }
        : {
            ...data,
            user: USER,
            assistant: ASSISTANT,
            dialogues: SIZES.sftDialogues,
            testDialogues: SIZES.sftTestDialogues,
            nearDuplicates: 'keep' as const,
            ...(data.world === undefined ? {} : { world: { ...data.world, subtopics: 0, turns: SIZES.turns } }),
            ...(data.writing === undefined ? {} : { writing: { ...data.writing, turns: SIZES.turns } }),
            ...(data.material === undefined
              ? {}
              : {
                  material: {
                    ...data.material,
                    ref: WORLD,
                    config: 'prompts',
                    split: 'train_gen',
                    column: 'prompt',
                    turns: SIZES.turns,
                  },
                }),
          },
    prepare: { ...kept, maxLength: Math.min(prepare.maxLength, SIZES.maxLength) },
    train: {
      ...toyTraining(spec.train),
      learningRate: spec.lora === undefined ? SIZES.sftLearningRate : SIZES.lora.sftLearningRate,
      epochs: SIZES.sftEpochs,
      globalBatch: SIZES.sftBatch,
    },
  };
  return spec.lora === undefined ? toy : { ...toy, lora: toyLora(spec.lora) };
}

function toyAif(spec: AifSpec, provider: RehearsalProvider): AifSpec {
  switch (spec.source) {
    case 'ratings': {
      const { decontaminate: _, ...kept } = spec;
      return {
        ...kept,
        ref: WORLD,
        config: 'ratings',
        split: 'train',
        binarize: { ...spec.binarize, testPrompts: SIZES.testPrompts },
      };
    }
    case 'pairs':
      return {
        source: 'pairs',
        ref: WORLD,
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

/** The world's prompts are of one mould: near duplicates are listed, never dropped. */
function toyPrompts(prompts: AifTeachers['prompts']): AifTeachers['prompts'] {
  const source = {
    name: 'practice',
    ref: WORLD,
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
  const labels = calibration && { calibration: { ...calibration, ref: WORLD, config: 'pairs', split: 'test_prefs' } };
  return { ...kept, teachers: [JUDGE], ...labels };
}

/** Where ratings stand in for rewards, what counts in points of a reward is left out. */
function toyBinarize({ judge, binarize }: AifTeachers): AifTeachers['binarize'] {
  const toy = { ...binarize, testPrompts: SIZES.testPrompts };
  if (judge.by === 'teachers') return toy;
  const { minMargin: _, minChosen: __, marginBand: ___, ...kept } = toy;
  return { ...kept, score: 'mean_aspects', rejected: kept.rejected === 'margin_band' ? 'random_lower' : kept.rejected };
}

function toyDdpo(spec: DdpoSpec): DdpoSpec {
  const { prepare, train } = spec;
  const toy: DdpoSpec = {
    prepare: {
      ...prepare,
      maxLength: Math.min(prepare.maxLength, SIZES.maxLength),
      maxPromptLength: Math.min(prepare.maxPromptLength, SIZES.maxPromptLength),
    },
    train: {
      ...toyTraining(train),
      lossType: train.lossType,
      beta: SIZES.beta,
      learningRate: spec.lora === undefined ? SIZES.dpoLearningRate : SIZES.lora.dpoLearningRate,
      epochs: SIZES.dpoEpochs,
      globalBatch: SIZES.dpoBatch,
    },
  };
  return spec.lora === undefined ? toy : { ...toy, lora: toyLora(spec.lora) };
}

/** Without what needs a GPU: bfloat16 is slow on a CPU, paged optimizers and flash attention do not exist there. */
function toyTraining(train: TrainingSpec): TrainingSpec {
  const { maxSteps: _, ...kept } = train;
  const optimizer = train.optimizer.startsWith('paged_') || train.optimizer.endsWith('_fused') ? 'adamw_torch' : train.optimizer;
  return { ...kept, gradientCheckpointing: false, optimizer, dtype: 'float32', attention: 'sdpa', saveSteps: SIZES.saveSteps };
}

function toyLora(lora: LoraSpec): LoraSpec {
  return {
    ...lora,
    r: SIZES.lora.r,
    alpha: SIZES.lora.alpha,
    targets: [...new Set([...lora.targets, ...SIZES.lora.moreTargets])],
    quantization: 'none',
  };
}

function practiceTeachers(dsft: DsftSpec, aif: AifSpec, provider: RehearsalProvider): Recipe['teachers'] {
  const via = provider === 'batch' || provider === 'artifact' ? 'openai' : provider;
  const batch = provider === 'batch' ? { batch: { pollSeconds: 0.2 } } : {};
  const inData = dsft.data.source === 'teacher' ? [dsft.data.user, dsft.data.assistant] : [];
  const answering = aif.source === 'teachers' ? aif.pool : aif.source === 'delta' ? [aif.strong, aif.weak] : [];
  const inFeedback = answering.map(({ teacher }) => teacher);
  const models = [...inData, ...inFeedback, JUDGE].filter((model) => model !== undefined);
  return Object.fromEntries(
    models.map((model) => [
      model,
      teacherSpec.parse({ provider: 'practice', model, concurrency: 16, store: true, via, ...batch }),
    ]),
  );
}
