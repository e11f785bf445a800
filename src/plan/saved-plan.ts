import * as z from 'zod';
import { canonicalJson, type Json } from '../base/canonical-json.ts';
import { sha256 } from '../base/sha256.ts';
import { commitId, repoName, repoType, sha256Hex } from '../model/artifact.ts';
import type { Ingredients } from '../model/fingerprint.ts';
import type { Artifact } from '../model/outcome.ts';
import { fullRecipe, type Recipe } from '../recipe/recipe.ts';
import { type Target, targetSpec } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
import { environmentOf, fingerprintStep } from './fingerprint.ts';
import type { Plan, PlannedStep } from './plan.ts';
import type { Preview } from './preview.ts';
import { plainPrice } from './price.ts';
import { diffIngredients, diffRecords, formatDifference } from './why.ts';

const FORMAT = 'zephyr-plan/1';

const artifact = z.object({ ref: z.object({ type: repoType, name: repoName, commit: commitId }), digest: sha256Hex });

/** Where the recipe of a plan came from. */
const source = z.strictObject({
  /** absolute path */
  file: z.string(),
  set: z.array(z.string()),
  /** name or file of the target, as it was given */
  on: z.string().optional(),
  /** the variables that change a recipe */
  env: z.record(z.string(), z.string()),
});
export type RecipeSource = z.infer<typeof source>;

/** What `zephyr plan --out` writes and `zephyr run` carries out without a question. */
const savedPlan = (stages: readonly Stage[]) =>
  z.strictObject({
    format: z.literal(FORMAT),
    /** sha256 of the canonical JSON of all other members: a plan that was changed since is not the one that its reader agreed to */
    digest: sha256Hex,
    madeAt: z.iso.datetime(),
    /** version of zephyr */
    zephyr: z.string(),
    /** the stages to run */
    goal: z.array(z.enum(stages.map(({ name }) => name))),
    /** address of a Hub over HTTP; null: the embedded one */
    hub: z.string().nullable(),
    target: targetSpec(stages),
    /** forecast at the recipe's prices, see `plainPrice` */
    cost: z.unknown(),
    steps: z.array(
      z.strictObject({
        step: z.string(),
        fate: z.enum(['run', 'reuse']),
        why: z.string(),
        /** null: known once its inputs are made */
        fingerprint: sha256Hex.nullable(),
        /** with the inputs that are known so far */
        ingredients: z.record(z.string(), z.unknown()),
      }),
    ),
    pins: z.record(z.string(), artifact),
    stageInputs: z.record(z.string(), artifact),
    source,
    recipeDigest: sha256Hex,
    recipe: fullRecipe(stages),
  });
export type SavedPlan = z.infer<ReturnType<typeof savedPlan>>;

export interface ToSave {
  readonly plan: Plan;
  readonly preview: Pick<Preview, 'decisions' | 'price'>;
  readonly target: Target;
  readonly hub: string | undefined;
  readonly source: RecipeSource;
  readonly version: string;
  readonly now: Date;
}

/** JSON text, to be read by people too. */
export function writeSavedPlan({ plan, preview, target, hub, source, version, now }: ToSave): string {
  const content = {
    madeAt: now.toISOString(),
    zephyr: version,
    goal: plan.stages,
    hub: hub ?? null,
    target,
    cost: plainPrice(preview.price),
    steps: preview.decisions.map(({ step, action, why, fingerprint }) => ({
      step: nameOf(step),
      fate: action,
      why,
      fingerprint: fingerprint ?? null,
      ingredients: knownIngredients(plan, step),
    })),
    pins: Object.fromEntries(plan.pins),
    stageInputs: plan.stageInputs,
    source,
    recipeDigest: digestOf(plan.recipe),
    recipe: plan.recipe,
  };
  const plain = JSON.parse(JSON.stringify(content)) as Record<string, Json>;
  return `${JSON.stringify({ format: FORMAT, digest: digestOf(plain), ...plain }, null, 2)}\n`;
}

/** Whether a text is meant to be a saved plan, whole or not. */
export function isSavedPlan(text: string): boolean {
  return /^\s*\{\s*"format"\s*:\s*"zephyr-plan\//.test(text);
}

/** The plan, or in a few words why the text holds none that can be carried out. */
export function readSavedPlan(text: string, stages: readonly Stage[]): SavedPlan | string {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'it is no whole JSON';
  }
  const { format, digest, ...content } = data as Record<string, unknown>;
  if (format !== FORMAT) return `it is of format "${String(format)}", expected "${FORMAT}"`;
  if (digest !== digestOf(content)) return 'it was changed after it was made: its digest does not fit';
  const plan = savedPlan(stages).safeParse(data);
  if (plan.success) return plan.data;
  const [issue] = plan.error.issues;
  return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'cannot be read'}`;
}

/** What is not as it was when the plan was made, one line each; nothing where it still holds. */
export function differencesFrom(saved: SavedPlan, plan: Plan, preview: Pick<Preview, 'decisions'>): string[] {
  const pins = Object.entries(saved.pins).flatMap(([ref, then]) => {
    const now: Artifact | undefined = plan.pins.get(ref);
    if (now === undefined) return [`${ref} is not read any more`];
    return now.digest === then.digest ? [] : [`${ref} has other content: ${short(then)} -> ${short(now)}`];
  });
  const before = new Map(saved.steps.map((step) => [step.step, step]));
  const steps = preview.decisions.flatMap(({ step, action, why }) => {
    const name = nameOf(step);
    const then = before.get(name);
    if (then === undefined) return [`${name} is not in it`];
    const difference = diffIngredients(then.ingredients, knownIngredients(plan, step) as unknown as Ingredients);
    if (difference !== undefined) return [`${name}: ${formatDifference(difference)}`];
    return then.fate === 'reuse' && action === 'run' ? [`${name} was to be used again, and would run: ${why}`] : [];
  });
  return [...pins, ...steps];
}

/** How a recipe differs from the plan's, as one line, if it does. */
export function recipeDifference(saved: SavedPlan, now: Recipe): string | undefined {
  return diffRecords(JSON.parse(JSON.stringify(saved.recipe)), JSON.parse(JSON.stringify(now)));
}

/** The ingredients of a step, with those inputs alone that are known before a step of the plan has run. */
function knownIngredients(plan: Plan, step: PlannedStep): Record<string, unknown> {
  const digests: Record<string, string> = {};
  for (const [name, input] of Object.entries(step.inputs)) {
    const known =
      input.from === 'hub' ? plan.pins.get(input.ref) : input.from === 'stage' ? plan.stageInputs[input.stage] : undefined;
    if (known === undefined) continue;
    digests[name] = known.digest;
  }
  const known = Object.fromEntries(Object.entries(step.inputs).filter(([name]) => name in digests));
  const { ingredients } = fingerprintStep(
    { ...step, inputs: known },
    digests,
    plan.fileDigests,
    environmentOf(step, plan.environments),
  );
  return JSON.parse(JSON.stringify(ingredients)) as Record<string, unknown>;
}

const nameOf = ({ stage, name }: PlannedStep) => `${stage}/${name}`;
const short = ({ ref }: Artifact) => ref.commit.slice(0, 12);

function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}
