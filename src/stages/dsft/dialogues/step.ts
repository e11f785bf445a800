import { configOf } from '../../data-spec.ts';
import { taskStep } from '../../programs.ts';
import { callConfig, datasetRepo, inputOf, type RecipeContext } from '../../recipe-context.ts';
import type { Step } from '../../stage.ts';
import { forecast } from './forecast.ts';
import type { Settings } from './settings.ts';
import type { DsftTeacher } from './spec.ts';

/**
 * What the task `construct` is told; it reads `templates/user-*.md` of scripts/train and, with material, the input
 * `material`, and writes the splits `train_sft` and `test_sft`.
 */
type ConstructConfig = Settings & { readonly version: 4 };

export function constructStep(recipe: RecipeContext, data: DsftTeacher): Step {
  const { world, writing, material } = data;
  const config: ConstructConfig = {
    version: 4,
    seed: recipe.seed,
    user: callConfig(recipe, data.user, data),
    assistant: callConfig(recipe, data.assistant, data),
    dialogues: data.dialogues,
    test_dialogues: data.testDialogues,
    world: world === undefined ? null : withoutFile(world),
    writing: writing ?? null,
    material:
      material === undefined
        ? null
        : {
            share: material.share,
            turns: material.turns,
            ...configOf(material),
            split: material.split,
            column: material.column,
            texts: material.texts,
            max_characters: material.maxCharacters,
            instructions: material.instructions,
          },
    refusals: data.refusals,
    near_duplicates: data.nearDuplicates,
  };
  const templates = ['next', 'openings', ...(world?.subtopics ? ['subtopics'] : [])];
  if (writing !== undefined) templates.push('writing', 'elaborate');
  if (material !== undefined) templates.push('material');
  return {
    ...taskStep('construct', {
      stage: 'dsft',
      name: 'construct',
      summary: `${data.dialogues + data.testDialogues} dialogues between ${config.user.model} and ${config.assistant.model}`,
      inputs: material === undefined ? {} : { material: inputOf(material.ref) },
      config,
      files: templates.map((name) => `templates/user-${name}.md`),
      ...(material === undefined ? {} : { reads: [{ input: 'material', ...configOf(material), splits: [material.split] }] }),
      output: datasetRepo(recipe, 'dialogues'),
    }),
    calls: forecast(data),
    ...(data.budgetUsd === undefined ? {} : { budgetUsd: data.budgetUsd }),
    ...(data.maxUnanswered === undefined ? {} : { maxUnanswered: data.maxUnanswered }),
  };
}

/** The topics of a file are in `topics` by now. */
function withoutFile({ topicsFile: _, ...world }: NonNullable<DsftTeacher['world']>): NonNullable<Settings['world']> {
  return world;
}
