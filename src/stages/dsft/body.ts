import { checkBudget, unknownTeacher } from '../check-teachers.ts';
import type { StageBody, TextReader } from '../module.ts';
import type { FinishedTraining } from '../training-checks.ts';
import { dsftRehearsal } from './rehearse.ts';
import { type DsftRecipe, type DsftSpec, dsftSpec } from './spec.ts';
import { dsftSteps } from './steps.ts';

export const body = {
  spec: dsftSpec,
  steps: (recipe: DsftRecipe) => dsftSteps(recipe, recipe.dsft),
  tasks: { construct: async (context) => (await import('./dialogues/construct.ts')).construct(context) },
  check,
  texts,
  trl: {
    config: 'SFTConfig',
    fields: async () =>
      Object.keys((await import('../../../configs/schema/trl-sft.json', { with: { type: 'json' } })).default.fields),
  },
  budget: ['data', 'budgetUsd'],
  rehearsal: dsftRehearsal,
  accept: async (training: FinishedTraining) => (await import('./acceptance.ts')).acceptSft(training),
} satisfies StageBody;

function check(recipe: DsftRecipe) {
  const { data } = recipe.dsft;
  if (data.source !== 'teacher') return [];
  const { user, assistant, world, budgetUsd } = data;
  return [
    unknownTeacher(recipe, ['dsft', 'data', 'user'], user),
    unknownTeacher(recipe, ['dsft', 'data', 'assistant'], assistant),
    world?.topics.length === 0
      ? {
          path: ['dsft', 'data', 'world', 'topics'],
          part: 'value' as const,
          message: 'missing "dsft.data.world.topics": expected a list of topics, or topicsFile',
        }
      : undefined,
    ...checkBudget(recipe, { path: ['dsft', 'data', 'budgetUsd'], budgetUsd, asked: [user, assistant] }),
  ];
}

/** The topics of `world.topicsFile`, one a line. */
async function texts({ dsft }: DsftRecipe, read: TextReader): Promise<DsftSpec> {
  if (dsft.data.source !== 'teacher' || dsft.data.world?.topicsFile === undefined) return dsft;
  const { topicsFile, ...world } = dsft.data.world;
  const path = ['dsft', 'data', 'world', 'topicsFile'];
  const lines = (await read.text(topicsFile, path)).split('\n').map((line) => line.trim());
  const topics = lines.filter((line) => line !== '');
  if (topics.length === 0) read.refuse(path, `expected one text a line, "${topicsFile}" has none`);
  return { ...dsft, data: { ...dsft.data, world: { ...world, topics: [...world.topics, ...topics] } } };
}
