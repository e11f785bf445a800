import { configOf } from '../../data-spec.ts';
import { taskStep } from '../../programs.ts';
import { type CallConfig, callConfig, datasetRepo, inputOf, type RecipeContext } from '../../recipe-context.ts';
import type { Step } from '../../stage.ts';
import { forecast } from './forecast.ts';
import type { DsftTeacher } from './spec.ts';

interface Common {
  readonly share: number;
  readonly turns: { readonly min: number; readonly max: number };
}

/**
 * What the task `construct` is told; it reads `templates/user-*.md` of scripts/train and, with material, the input
 * `material`, and writes the splits `train_sft` and `test_sft`.
 */
export type ConstructConfig = {
  readonly version: 4;
  readonly seed: number;
  readonly user: CallConfig;
  readonly assistant: CallConfig;
  readonly dialogues: number;
  readonly test_dialogues: number;
  readonly world:
    | (Common & { readonly topics: readonly string[]; readonly subtopics: number; readonly questions: number })
    | null;
  readonly writing:
    | (Common & { readonly types: readonly string[]; readonly instructions: number; readonly elaborated: number })
    | null;
  readonly material:
    | (Common & {
        readonly split: string;
        readonly column: string;
        readonly texts: number;
        readonly max_characters: number;
        readonly instructions: number;
      })
    | null;
  readonly refusals: DsftTeacher['refusals'];
  readonly near_duplicates: DsftTeacher['nearDuplicates'];
};

export function constructStep(recipe: RecipeContext, data: DsftTeacher): Step {
  const { world, writing, material } = data;
  const config = {
    version: 4,
    seed: recipe.seed,
    user: callConfig(recipe, data.user, data),
    assistant: callConfig(recipe, data.assistant, data),
    dialogues: data.dialogues,
    test_dialogues: data.testDialogues,
    world:
      world === undefined
        ? null
        : {
            share: world.share,
            turns: world.turns,
            topics: world.topics,
            subtopics: world.subtopics,
            questions: world.questions,
          },
    writing:
      writing === undefined
        ? null
        : {
            share: writing.share,
            turns: writing.turns,
            types: writing.types,
            instructions: writing.instructions,
            elaborated: writing.elaborated,
          },
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
  } satisfies ConstructConfig;
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
