import { canonicalJson } from '../base/canonical-json.ts';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { formatRef, type RepoId } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import { producedKey } from '../plan/bind.ts';
import { environmentOf } from '../plan/fingerprint.ts';
import type { Plan } from '../plan/plan.ts';
import { diffRecords } from '../plan/why.ts';
import { workerOf } from '../runs/key-claim.ts';
import { thisProcess } from '../runs/owner.ts';
import type { RunState } from '../runs/run-state.ts';
import { isLost } from './call-log.ts';
import { driverIsGone } from './driver.ts';
import type { Engine } from './engine.ts';
import { openEventLog } from './event-log.ts';
import { adoptRun, beginRun, expectGone, newRunId } from './open-run.ts';
import { type FoundRun, findUnfinished, readRun, readRunIfReadable } from './read-run.ts';
import { claimKey, type HeldKey, readKey, untilSettled } from './run-key.ts';
import type { StageRun } from './stage-run.ts';

/** A stage that is to be worked on: `resume` names the run to go on with. */
export interface StageToOwn {
  readonly plan: Plan;
  readonly stage: string;
  /** artifacts by stage, and by stage and step */
  readonly produced: ReadonlyMap<string, Artifact>;
  readonly resume: string | undefined;
}

interface AskedRun {
  readonly plan: Plan;
  readonly stage: string;
  readonly repo: RepoId;
  readonly key: string;
  readonly keyRecord: unknown;
}

/**
 * The run that this process works in: the one to resume, else an unfinished one that began with the very same steps and
 * inputs, else a new one. Of all who want to work on equal steps and inputs at once, one gets it. `isMade`: whether the step
 * has been made meanwhile, by the process that worked on it before; then there is nothing to own. Throws a `ZephyrError` when
 * another process owns it, or when it began with other ingredients.
 */
export async function ownStage(
  engine: Engine,
  { plan, stage, produced, resume }: StageToOwn,
  isMade: () => Promise<boolean>,
): Promise<StageRun | undefined> {
  const asked = askedRun(plan, stage, produced);
  const { repo } = asked;
  if (resume === undefined) await engine.hub.createRepo(repo);
  return await untilSettled(repo, async () => {
    const held = await readKey(engine.hub, repo, asked.key);
    const found = resume === undefined ? await unfinished(engine, asked, held) : await toResume(engine, asked, resume);
    const takeOver = engine.takeOver || (found !== undefined && (await driverIsGone(engine, found.state)));
    expectFree(held, repo, takeOver);
    // another process may have published it after this one looked and before it released the run
    if (held.claim !== undefined && (await isMade())) return undefined;
    const run = found?.state.run ?? newRunId(engine.now);
    const seen = found?.state.updatedAt ?? null;
    const claim = { version: 1, key: asked.key, run, owner: thisProcess(), seen } as const;
    if (!(await claimKey(engine.hub, repo, held, claim))) return 'again';
    return found === undefined ? await begin(engine, asked, run) : await goOn({ ...engine, takeOver }, asked, found);
  });
}

function askedRun(plan: Plan, stage: string, produced: ReadonlyMap<string, Artifact>): AskedRun {
  const steps = plan.steps.filter((step) => step.stage === stage);
  const repo = steps.at(-1)?.output;
  if (repo === undefined) throw new Error(`Cannot run stage ${stage}: its plan has no step`);
  const keyRecord = keyRecordOf(plan, stage, produced);
  return { plan, stage, repo, key: sha256(canonicalJson(keyRecord)), keyRecord };
}

/** The unfinished run that `ownStage` would go on with, whoever works on it. */
export async function findOwn(
  engine: Engine,
  { plan, stage, produced, resume }: StageToOwn,
): Promise<{ readonly id: string; readonly state: RunState } | undefined> {
  const asked = askedRun(plan, stage, produced);
  const { repo, key } = asked;
  if (resume === undefined && (await engine.hub.refs(repo)) === undefined) return undefined;
  const found =
    resume === undefined
      ? await unfinished(engine, asked, await readKey(engine.hub, repo, key))
      : await toResume(engine, asked, resume);
  return found === undefined ? undefined : { id: formatRef({ ...repo, revision: found.state.run }), state: found.state };
}

/** Throws when a process works on the key, or may do so out of sight. */
function expectFree({ claim, run }: HeldKey, repo: RepoId, takeOver: boolean): void {
  const worker = claim === undefined ? null : workerOf(claim, run?.state);
  if (claim !== undefined && worker !== null) expectGone(worker, formatRef({ ...repo, revision: claim.run }), takeOver);
}

/** A run that was begun before keys had branches is looked for among all. */
async function unfinished({ hub, newRun }: Engine, { repo, key }: AskedRun, held: HeldKey): Promise<FoundRun | undefined> {
  if (newRun) return undefined;
  if (held.claim === undefined) return await findUnfinished(hub, repo, key);
  return held.run?.state.phase === 'done' ? undefined : held.run;
}

async function toResume({ hub }: Engine, { stage, repo, key, keyRecord }: AskedRun, run: string): Promise<FoundRun> {
  const found = await readRun(hub, repo, run);
  const id = formatRef({ ...repo, revision: run });
  if (found === undefined) throw new ZephyrError(`Cannot resume ${id}: there is no such run`, { exit: 'conflict' });
  if (found.state.key === key) return found;
  const difference = diffRecords(byName(found.state.keyRecord), byName(keyRecord));
  throw new ZephyrError(`Cannot resume ${id}: ${difference ?? 'its plan'} is not what it began with`, {
    exit: 'conflict',
    hint: `a run keeps its recipe: with another one, or another zephyr, run the stage anew (zephyr ${stage} RECIPE), which uses again what is made and paid`,
  });
}

async function goOn(engine: Engine, { plan, stage, repo }: AskedRun, found: FoundRun): Promise<StageRun> {
  const isSameGoal = plan.stages.join() === found.state.goal.join();
  const state = { ...found.state, ...(isSameGoal && askedFor(plan)), driver: engine.driver ?? null };
  const run = await adoptRun(engine.hub, engine.now, { ...found, state }, engine.takeOver);
  await openEventLog(engine, run);
  engine.emit({ type: 'stage-started', stage, run: formatRef({ ...repo, revision: run.state.run }), resumed: true });
  return run;
}

async function begin(engine: Engine, { plan, stage, repo, key, keyRecord }: AskedRun, id: string): Promise<StageRun> {
  const asked = { goal: [...plan.stages], target: engine.target, ...askedFor(plan), driver: engine.driver ?? null };
  const fields = { stage, repo, ...asked, key, keyRecord };
  const run = await beginRun(engine.hub, engine.now, fields, id);
  await openEventLog(engine, run);
  engine.emit({ type: 'stage-started', stage, run: formatRef({ ...repo, revision: run.state.run }), resumed: false });
  return run;
}

/** A run all of whose steps are published, to be ended; `undefined` where it is ended or another process may own it. */
export async function ownRest(engine: Engine, repo: RepoId, run: string): Promise<StageRun | undefined> {
  const { hub, now } = engine;
  const found = await readRunIfReadable(hub, repo, run);
  if (found === undefined || found.state.phase === 'done') return undefined;
  try {
    const takeOver = engine.takeOver || (await driverIsGone(engine, found.state));
    return await adoptRun(hub, now, found, takeOver);
  } catch (error) {
    if (isLost(error)) return undefined;
    throw error;
  }
}

/** Steps under their names, so that a difference says in which it is. */
function byName(record: unknown): unknown {
  if (!Array.isArray(record)) return record;
  return Object.fromEntries(record.map((step: { readonly step?: unknown }, index) => [String(step?.step ?? index), step]));
}

/**
 * What a later `zephyr resume` goes by. Of an unfinished run that is gone on with it is replaced: budget, prices and
 * servers may have changed, which make no other run of it.
 */
function askedFor(plan: Plan): Pick<RunState, 'recipe' | 'stageInputs' | 'pins'> {
  return {
    recipe: plan.recipe,
    stageInputs: Object.fromEntries(Object.entries(plan.stageInputs)),
    pins: Object.fromEntries(plan.pins),
  };
}

/** What makes two runs of a stage the same: its steps as planned and the bytes that come in from outside of it. */
function keyRecordOf(plan: Plan, stage: string, produced: ReadonlyMap<string, Artifact>): unknown {
  return plan.steps
    .filter((step) => step.stage === stage)
    .map((step) => ({
      step: step.name,
      config: step.config,
      files: Object.fromEntries(step.files.map((file) => [file, plan.fileDigests[file] ?? null])),
      environment: environmentOf(step, plan.environments) ?? null,
      inputs: Object.fromEntries(
        Object.entries(step.inputs).map(([name, input]) => {
          if (input.from === 'step') return [name, { step: input.step }];
          const artifact = input.from === 'hub' ? plan.pins.get(input.ref) : produced.get(producedKey(stage, input));
          return [name, artifact?.digest ?? null];
        }),
      ),
    }));
}
