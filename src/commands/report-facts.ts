import { join } from 'node:path';
import { EventLogReader } from '../engine/event-log.ts';
import { readRunIfReadable } from '../engine/read-run.ts';
import { acceptanceOf } from '../evaluations/acceptance.ts';
import { type ArtifactRef, type RepoId, sameRepo } from '../model/artifact.ts';
import { lineageEvaluations, seenBefore } from '../report/model-report/evaluations.ts';
import type { ReportCheck, ReportFacts, ReportRecipe, ReportRun } from '../report/model-report/facts.ts';
import { lineageOf } from '../report/model-report/lineage.ts';
import { recipeOf } from '../report/model-report/recipe.ts';
import type { StageModule } from '../stages/module.ts';
import type { Context } from './context.ts';

/** What a report is made of, and the recipe that the subject's run followed. */
export async function reportFacts(
  context: Context,
  ref: ArtifactRef,
  stages: readonly StageModule[],
): Promise<{ facts: ReportFacts; recipe: ReportRecipe | undefined }> {
  const { hub, version } = context;
  const artifacts = await lineageOf(hub, ref);
  const subject = artifacts.at(-1) as (typeof artifacts)[number];
  const names = [...new Set(artifacts.flatMap(({ manifest }) => manifest?.run ?? []))];
  // a run lies in the repo of its last step, which is most often that of an artifact here
  const near = artifacts.map((artifact) => artifact.ref);
  const others = (await hub.list()).filter((repo) => !near.some((each) => sameRepo(each, repo)));
  const runs: ReportRun[] = [];
  for (const run of names) {
    const found = await readLog(context, [...near, ...others], run);
    if (found !== undefined) runs.push(found);
  }
  const evaluations = await lineageEvaluations(hub, artifacts);
  const contamination = await seenBefore(hub, artifacts, evaluations);
  const checks = await checksOf(context, ref, stages);
  const at = new Date().toISOString();
  const own = runs.find(({ run }) => run === subject.manifest?.run)?.recipe;
  return {
    facts: { subject, artifacts, runs, evaluations, checks, contamination, zephyr: version, at },
    recipe: own === undefined ? undefined : await recipeOf(own, stages),
  };
}

async function checksOf({ hub }: Context, ref: ArtifactRef, stages: readonly StageModule[]): Promise<ReportCheck[]> {
  const trainings = await acceptanceOf(hub, ref, async (name) => await stages.find((one) => one.name === name)?.load());
  return trainings.flatMap(({ of, checks }) => checks.map((check) => ({ of, ...check })));
}

async function readLog({ hub, home }: Context, repos: readonly RepoId[], run: string): Promise<ReportRun | undefined> {
  for (const { type, name } of repos) {
    const found = await readRunIfReadable(hub, { type, name }, run);
    if (found === undefined) continue;
    const lines = await new EventLogReader(hub, join(home, 'jobs'), found.state).next(found.head);
    return { run, lines, recipe: found.state.recipe };
  }
  return undefined;
}
