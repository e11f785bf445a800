import { Option } from 'commander';
import type { StageModule } from '../stages/module.ts';

/** What every verb gets: the options as commander read them, and the stages. Each returns its exit status. */
type Run = (arguments_: string[], options: Record<string, unknown>, stages: readonly StageModule[]) => Promise<number>;

export interface Verb {
  readonly usage: string;
  readonly about: string;
  readonly load: () => Promise<Run>;
  readonly options: readonly Option[];
  /** stages whose artifacts it takes: an option for each, handed on as `inputs` */
  readonly inputs?: readonly StageModule[];
}

export const ON = new Option('--on <target>', 'where jobs run: a name in configs/targets, or a file').default('process');
export const HUB = new Option('--hub <url>', 'a Hugging Face Hub over HTTP instead of the embedded one');
export const listOption = (flags: string, about: string): Option =>
  new Option(flags, about).argParser((text: string, all: string[]) => [...all, text]).default([], 'none');
export const SET = listOption('--set <path=value>', 'change one value of the recipe, null takes it away; may be repeated');
export const JSON_OUT = new Option('--json', 'machine-readable output on stdout');
export const TAKE_OVER = new Option('--take-over', 'own a run although its last owner is out of sight');
export const NEW_RUN = new Option('--new-run', 'begin again instead of going on with an unfinished equal run');
export const YES = new Option('--yes', 'agree to what teachers cost where no budget limits it');
export const DETACH = new Option('--detach', 'have a job of the cluster work on it, and leave');
export const RESUME = new Option('--resume <id>', 'go on with this run instead of reading a recipe');
