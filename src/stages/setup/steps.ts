import { jobStep, taskStep } from '../programs.ts';
import { datasetRepo, modelRepo, type RecipeContext } from '../recipe-context.ts';
import type { Step } from '../stage.ts';
import type { SetupSpec } from './spec.ts';
import type { SyntheticDataConfig } from './synthetic-data.ts';

/** world -> base: what a rehearsal has in place of the Hub's data and base model */
export function setupSteps(recipe: RecipeContext, spec: SetupSpec): Step[] {
  const { world, architecture } = spec;
  const config: SyntheticDataConfig = {
    version: 1,
    seed: recipe.seed,
    dialogues: world.dialogues,
    test_dialogues: world.testDialogues,
    prompts: world.prompts,
    pairs: world.pairs,
    test_pairs: world.testPairs,
    ratings: world.ratings,
    exam_prompts: world.examPrompts,
  };
  return [
    taskStep('world', {
      stage: 'setup',
      name: 'world',
      summary: `practice data with ${world.examPrompts} exam prompts held out`,
      inputs: {},
      config,
      output: datasetRepo(recipe, 'practice'),
    }),
    jobStep('tiny_base', {
      stage: 'setup',
      name: 'base',
      summary: `random ${architecture.modelType}, ${architecture.layers} layers of ${architecture.hidden}, vocabulary ${spec.vocab}`,
      inputs: { corpus: { from: 'step', step: 'world' } },
      config: {
        architecture: {
          model_type: architecture.modelType,
          hidden_size: architecture.hidden,
          num_hidden_layers: architecture.layers,
          num_attention_heads: architecture.heads,
          num_key_value_heads: architecture.kvHeads,
          intermediate_size: architecture.intermediate,
          max_position_embeddings: architecture.maxLength,
        },
        vocab_size: spec.vocab,
        template: recipe.template,
        seed: recipe.seed,
      },
      output: modelRepo(recipe, 'base'),
    }),
  ];
}
