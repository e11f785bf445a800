import type { StageBody } from '../module.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { type SetupSpec, setupSpec } from './spec.ts';
import { setupSteps } from './steps.ts';

const section: SetupSpec = {
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
};

export const body = {
  spec: setupSpec,
  steps: (recipe: RecipeContext & { readonly setup: SetupSpec }) => setupSteps(recipe, recipe.setup),
  tasks: { world: async (context) => (await import('./synthetic-data.ts')).syntheticData(context) },
  rehearsal: {
    rehearse: () => ({ section, base: 'setup/base' }),
    reasons: { '': 'makes the practice data and the tiny base model' },
    inWords: {
      '': ({ architecture, vocab, world }: SetupSpec) =>
        `${architecture.layers} layers of ${architecture.hidden}, ${vocab} tokens, ${world.examPrompts} exam prompts`,
    },
  },
} satisfies StageBody;
