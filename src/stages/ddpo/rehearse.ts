import type { Rehearsal } from '../module.ts';
import { NO_BENCHMARK, SHORT_MEMORY, TRAINING_REASONS, toyLora, toyTraining } from '../rehearsal.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { rewardSpec, rlSpec } from './rl-spec.ts';
import type { DdpoRecipe, DdpoSpec } from './spec.ts';

const FEW_PAIRS = 'practice pairs are few';

export const ddpoRehearsal = {
  rehearse: ({ ddpo }: DdpoRecipe) => ({ section: toyDdpo(ddpo) }),
  reasons: {
    ...TRAINING_REASONS,
    prepare: SHORT_MEMORY,
    'prepare.decontaminate': NO_BENCHMARK,
    'prepare.fraction': FEW_PAIRS,
    'prepare.testRows': FEW_PAIRS,
    reward: 'sized for a tiny model on a CPU',
    rl: 'sized for a tiny model on a CPU',
  },
} satisfies Rehearsal;

function toyDdpo(spec: DdpoSpec): DdpoSpec {
  const { prepare, train } = spec;
  const { decontaminate: _, ...kept } = prepare;
  const toy: DdpoSpec = {
    method: spec.method,
    prepare: {
      ...kept,
      fraction: 1,
      testRows: null,
      maxLength: Math.min(prepare.maxLength, SIZES.maxLength),
      maxPromptLength: Math.min(prepare.maxPromptLength, SIZES.maxPromptLength),
    },
    train: {
      ...toyTraining(train),
      lossType: train.lossType,
      beta: SIZES.beta,
      reference: train.reference,
      learningRate: spec.lora === undefined ? SIZES.dpoLearningRate : SIZES.lora.dpoLearningRate,
      epochs: SIZES.dpoEpochs,
      globalBatch: SIZES.dpoBatch,
    },
  };
  return {
    ...toy,
    ...(spec.method === 'dpo' ? {} : toyRl(spec)),
    ...(spec.lora === undefined ? {} : { lora: toyLora(spec.lora) }),
  };
}

/** As many steps as show that rewards rise, where a whole pass would take longer than all else. */
function toyRl({ reward = rewardSpec.parse({}), rl = rlSpec.parse({}) }: DdpoSpec): Pick<DdpoSpec, 'reward' | 'rl'> {
  const { learningRate, rewardSteps, rlLearningRate, rlSteps, batch, generations } = SIZES.rl;
  return {
    reward: { ...reward, learningRate, maxSteps: rewardSteps, globalBatch: batch },
    rl: {
      ...rl,
      learningRate: rlLearningRate,
      maxSteps: rlSteps,
      globalBatch: batch,
      generations,
      maxNewTokens: SIZES.answerTokens,
    },
  };
}
