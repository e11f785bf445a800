import type { Rehearsal } from '../module.ts';
import {
  NO_BENCHMARK,
  type Rehearsed,
  SHORT_MEMORY,
  SYNTHETIC_DATA,
  TRAINING_REASONS,
  toyLora,
  toyTraining,
} from '../rehearsal.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import type { DsftRecipe, DsftSpec } from './spec.ts';

const USER = 'practice-user';
const ASSISTANT = 'practice-mixed';

export const dsftRehearsal = {
  rehearse: rehearseDsft,
  reasons: {
    ...TRAINING_REASONS,
    data: 'practice data in the same layout',
    'data.user': 'the practice teacher plays the user',
    'data.assistant': 'the practice teacher answers, as a mix of manners',
    'data.dialogues': 'data capped',
    'data.testDialogues': 'data capped',
    'data.nearDuplicates': 'practice questions are few facts in many wordings',
    'data.world': SHORT_MEMORY,
    'data.writing': SHORT_MEMORY,
    'data.material': `practice texts, and ${SHORT_MEMORY}`,
    'data.maxTokens': 'practice answers are short',
    'prepare.maxLength': SHORT_MEMORY,
    'prepare.decontaminate': NO_BENCHMARK,
  },
  inWords: {
    'data.datasets': ({ data }: DsftSpec) =>
      data.source === 'datasets' ? data.datasets.map(({ ref, train }) => `${ref} ${train}`).join(', ') : undefined,
    'data.world.turns': ({ data }: DsftSpec) => (data.source === 'teacher' ? turnsInWords(data.world?.turns) : undefined),
    'data.writing.turns': ({ data }: DsftSpec) => (data.source === 'teacher' ? turnsInWords(data.writing?.turns) : undefined),
  },
} satisfies Rehearsal;

function rehearseDsft({ dsft }: DsftRecipe): Rehearsed {
  const section = toyDsft(dsft);
  const { data } = section;
  return { section, teachers: data.source === 'teacher' ? [data.user, data.assistant] : [] };
}

function turnsInWords(turns: { readonly min: number; readonly max: number } | undefined): string | undefined {
  return turns && `${turns.min} to ${turns.max}`;
}

function toyDsft(spec: DsftSpec): DsftSpec {
  const { data, prepare } = spec;
  const { decontaminate: _, ...kept } = prepare;
  const toy: DsftSpec = {
    data:
      data.source === 'datasets'
        ? {
            source: 'datasets',
            datasets: [{ ref: SYNTHETIC_DATA, config: 'dialogues', train: 'train_sft', test: 'test_sft', fraction: 1 }],
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
                    ref: SYNTHETIC_DATA,
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
