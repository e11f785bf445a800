import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { openLineFile } from '../../../datasets/line-file.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { eachPrompt } from '../tables.ts';
import { assignedFile, assignmentFields, memberFields, openAssignments, turnsOf } from './assignments.ts';

const assignConfig = z.object({
  version: z.literal(1),
  ...assignmentFields,
  pool: z.array(z.object({ ...memberFields, job: z.boolean() })),
});
export type AssignConfig = z.infer<typeof assignConfig>;

/** Assigns prompts to the members that answer in jobs, so that a job answers its own prompts alone. */
export const assign: Task = async (context) => {
  const config = assignConfig.parse(context.config);
  const assignmentsOf = await openAssignments(config, context.files);
  const jobs = config.pool.filter(({ job }) => job).map(({ id }) => id);
  const files = new Map(jobs.map((id) => [id, openLineFile(join(context.out, assignedFile(id)))]));
  const drawn = counter();
  for await (const prompt of eachPrompt(inputFolder(context, 'prompts'))) {
    for (const assignment of assignmentsOf(prompt)) {
      const file = files.get(assignment.member);
      if (file === undefined) continue;
      const messages = turnsOf(assignment, prompt.prompt).map(({ role, content }) => ({ role, content }));
      file.add({ prompt_id: prompt.prompt_id, messages });
      drawn.add(assignment.member);
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
  const configs = Object.fromEntries(jobs.map((id) => [id, { train: assignedFile(id) }]));
  await writeFile(join(context.out, 'README.md'), datasetCard('Draws', about, configs));
  return { metrics: counts, costUsd: 0 };
};
