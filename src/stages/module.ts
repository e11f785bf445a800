import type * as z from 'zod';
import type { Hub } from '../hub/hub.ts';
import type { RepoType } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Column } from '../render/table.ts';
import type { Mistake, Path } from './mistake.ts';
import type { RecipeContext } from './recipe-context.ts';
import type { RehearsalPlace, Rehearsed } from './rehearsal.ts';
import type { Step, Task } from './stage.ts';
import type { FinishedTraining, TrainingCheck } from './training-checks.ts';

/** The object that `stages/NAME/stage.ts` exports: what the command line needs to know before anything of the stage is loaded. */
export interface StageModule {
  /** Its verb, its key in a recipe, and the option of stages that take its artifact; of a-z, 0-9 and "-". */
  readonly name: string;
  /** what it does, for the help */
  readonly about: string;
  /** what it publishes */
  readonly artifact: RepoType;
  /** the stages whose artifacts it takes: its verb has an option for each */
  readonly inputs: readonly string[];
  /**
   * It measures a finished model: its verb takes the ID of one, and a recipe only where no run of zephyr made that. Its section
   * has `model`, a source text, and `suite`.
   */
  readonly measures?: { readonly suites: readonly string[] };
  /** A rehearsal alone has it: it has no verb, and no key in a recipe that a user writes. */
  readonly rehearsalOnly?: true;
  /** The keys of `hardware.microBatch` in a target that its training steps name, each with the figure that its help ends in. */
  readonly microBatches?: Readonly<Record<string, string>>;
  readonly load: () => Promise<StageBody>;
}

/**
 * All else of a stage. Its functions are methods, whose parameters TypeScript compares both ways: each may ask for a recipe
 * with the sections that it reads, which are there since the recipe's schema is made of the specs of all stages.
 */
export interface StageBody {
  /** the schema of its section in a recipe */
  readonly spec: z.ZodType;
  /** The last step's artifact is the stage's. Asked only where the recipe has the section. */
  steps(recipe: RecipeContext): Step[];
  /** its in-process steps, by the name that `Step.work.task` has; each is loaded when it runs */
  readonly tasks: Readonly<Record<string, Task>>;
  /** What the schema cannot see: names that must exist elsewhere, and numbers that must fit one another. */
  check?(recipe: RecipeContext): readonly (Mistake | undefined)[];
  /** Its section with the text files read in that it names: from here on the recipe needs no file. */
  texts?(recipe: RecipeContext, read: TextReader): Promise<unknown>;
  /** The class of TRL whose further fields `train.trl` of the section may hold. */
  readonly trl?: { readonly config: string; readonly fields: () => Promise<readonly string[]> };
  /** The key of the section that holds the most dollars the stage may spend. */
  readonly budget?: Path;
  /** Counts what `CallForecast.items` names. */
  readonly counts?: Readonly<Record<string, (source: CountSource) => Promise<Count>>>;
  /** How it is rehearsed; without it its section is as the recipe has it, which a stage that asks teachers may not leave so. */
  readonly rehearsal?: Rehearsal;
  /** What is shown when it is done, of the metrics in the manifest of its artifact. */
  table?(metrics: unknown): StageTable;
  /** Holds a finished training, of each of its steps that trains, to what such trainings are known to show. */
  accept?(training: FinishedTraining): Promise<readonly TrainingCheck[]>;
}

export interface Rehearsal {
  /** Its section at toy size; asked only where the recipe has the section, or a rehearsal alone has it. */
  rehearse(recipe: RecipeContext, place: RehearsalPlace): Rehearsed;
  /** It is rehearsed whether or not the recipe has its section. */
  readonly always?: true;
  /** Why something is changed, by the path below the section; the longest one that fits counts. */
  readonly reasons: Readonly<Record<string, string>>;
  /** Parts of the section that stand for one decision, by the path below it: told whole, in a few words. */
  readonly inWords?: { readonly [path: string]: (section: never) => unknown };
}

export type Stage = Omit<StageModule, 'load'> & StageBody;

/** Text files beside a recipe, as `StageBody.texts` reads them. `path`: of the value that names the file. */
export interface TextReader {
  readonly text: (file: string, path: Path) => Promise<string>;
  /** Throws a `ZephyrError` (usage) that says where the value stands. */
  readonly refuse: (path: Path, message: string) => never;
}

/** What a step that asks calls is known by before it runs. */
export interface CountSource {
  readonly step: Step;
  readonly hub: Hub;
  /** an input of the step, where it is on the Hub already */
  readonly input: (name: string) => Artifact | undefined;
  /** what an equal step of the same stage has published */
  readonly made: (step: string) => Artifact | undefined;
}

export interface Count {
  /** null: no step has read them yet */
  readonly count: number | null;
  /** why the count is a guess, in words for the user */
  readonly guess?: string;
}

export interface StageTable {
  readonly above: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly below: string;
}

/** Loads the bodies of the stages, all at once. */
export async function loadStages(modules: readonly StageModule[]): Promise<readonly Stage[]> {
  return await Promise.all(modules.map(async ({ load, ...head }) => ({ ...head, ...(await load()) })));
}

/** The stages that have a verb. */
export function userStages<Listed extends Pick<StageModule, 'rehearsalOnly'>>(stages: readonly Listed[]): Listed[] {
  return stages.filter(({ rehearsalOnly }) => rehearsalOnly !== true);
}
