import { recipeSpec } from '../../src/recipe/recipe.ts';
import type { AifTeachers } from '../../src/stages/aif/spec.ts';
import { type StagedRecipe, stages } from '../rig/stages.ts';

const training = { learningRate: 1e-4, epochs: 1, globalBatch: 8 };

/** The least that a recipe must say, as YAML would give it. */
export function minimalData() {
  return {
    name: 'mini',
    base: 'hf://models/org/base',
    dsft: { data: { source: 'datasets', datasets: [{ ref: 'hf://datasets/org/dialogues@v1' }] }, train: training },
    aif: { source: 'pairs', ref: 'hf://datasets/org/pairs' },
    ddpo: { train: { ...training, beta: 0.1 } },
  };
}

export function minimalRecipe(change: (data: Record<string, unknown>) => void = () => {}): StagedRecipe {
  const data = minimalData() as Record<string, unknown>;
  change(data);
  return recipeSpec(stages).parse(data) as StagedRecipe;
}

/** A recipe that makes its own data: teachers for the dialogues, a pool with the own model, a judge. */
export function taughtRecipe(change: (aif: AifTeachers) => AifTeachers = (aif) => aif): StagedRecipe {
  const recipe = minimalRecipe((data) => {
    data.teachers = {
      talk: { provider: 'openai', model: 'talker-1' },
      rival: { provider: 'openai', model: 'rival-1' },
      judge: { provider: 'openai', model: 'judge-1' },
    };
    data.dsft = {
      data: { source: 'teacher', user: 'talk', assistant: 'talk', world: { topics: ['tea'] }, dialogues: 10, testDialogues: 2 },
      train: training,
      lora: { r: 4, alpha: 8 },
    };
    data.aif = {
      source: 'teachers',
      prompts: { sources: [{ list: ['Say hello', 'Say goodbye'] }] },
      pool: [{ teacher: 'talk' }, { model: 'dsft' }, { teacher: 'rival' }, { model: 'hf://models/org/other' }],
      binarize: { testPrompts: 1 },
      principles: ['honesty'],
      judge: { teachers: ['judge'], aspects: ['helpfulness'] },
    };
    data.ddpo = { train: { ...training, beta: 0.1 }, lora: { r: 4, alpha: 8 } };
  });
  return recipe.aif.source === 'teachers' ? { ...recipe, aif: change(recipe.aif) } : recipe;
}
