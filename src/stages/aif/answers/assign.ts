import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { datasetCard } from '../../../datasets/dataset-card.ts';
import { openLineFile } from '../../../datasets/line-file.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { eachPrompt } from '../tables.ts';
import { memberFields, slotMaker, slotsFields, turnsOf } from './assignments.ts';
import { drawsFile } from './draw.ts';

export const drawsConfig = z.object({
  version: z.literal(1),
  ...slotsFields,
  pool: z.array(z.object({ ...memberFields, job: z.boolean() })),
});
export type DrawsConfig = z.infer<typeof drawsConfig>;

/** Draws the prompts of the members that answer in jobs, so that no job answers what nobody asked it. */
export const draws: Task = async (context) => {
  const config = drawsConfig.parse(context.config);
  const slotsOf = await slotMaker(config, context.files);
  const jobs = config.pool.filter(({ job }) => job).map(({ id }) => id);
  const files = new Map(jobs.map((id) => [id, openLineFile(join(context.out, drawsFile(id)))]));
  const drawn = counter();
  for await (const prompt of eachPrompt(inputFolder(context, 'prompts'))) {
    for (const slot of slotsOf(prompt)) {
      const file = files.get(slot.member);
      if (file === undefined) continue;
      const messages = turnsOf(slot, prompt.prompt).map(({ role, content }) => ({ role, content }));
      file.add({ prompt_id: prompt.prompt_id, messages });
      drawn.add(slot.member);
    }
  }
  for (const file of files.values()) file.close();
  const counts = drawn.counts();
  const idle = jobs.find((id) => counts[id] === undefined);
  if (idle !== undefined)
    throw new ZephyrError(`Cannot let "${idle}" answer: none of the prompts was drawn for it`, {
      hint: 'Raise its weight or its share in aif.pool, or take it out.',
    });
  const about = 'Which prompts the models that answer in jobs of their own are asked, and under which principle.';
  const configs = Object.fromEntries(jobs.map((id) => [id, { train: drawsFile(id) }]));
  await writeFile(join(context.out, 'README.md'), datasetCard('Draws', about, configs));
  return { metrics: counts, costUsd: 0 };
};
