import { Option } from 'commander';
import type { StageModule } from '../stages/module.ts';
import { DETACH, HUB, JSON_OUT, NEW_RUN, ON, RESUME, SET, TAKE_OVER, type Verb, YES } from './verb.ts';

/** The stages whose artifacts these take. */
function inputsOf(takers: readonly StageModule[], stages: readonly StageModule[]): StageModule[] {
  return stages.filter(({ name }) => takers.some(({ inputs }) => inputs.includes(name)));
}

const WORK = [ON, HUB, SET, JSON_OUT, YES, NEW_RUN, TAKE_OVER];

/** The verb of a stage: it takes a recipe, or where it measures models the ID of one. */
function stageVerb({ name, about, ...stage }: StageModule, stages: readonly StageModule[]): Verb {
  if (stage.measures !== undefined) {
    const suite = new Option('--suite <name>', "which benchmarks; without it the recipe's, or smoke").choices(
      stage.measures.suites,
    );
    const on = new Option('--on <target>', `${ON.description}; without it where the model was made`);
    const load = async () => (await import('../commands/evaluate.ts')).evaluate(name);
    return { usage: `${name} <id> [recipe]`, about, load, options: [suite, on, ...WORK.slice(1), DETACH] };
  }
  const load = async () => (await import('../commands/stage.ts')).stage(name);
  const inputs = inputsOf([{ name, about, ...stage }], stages);
  return { usage: `${name} [recipe]`, about, load, inputs, options: [...WORK, RESUME, DETACH] };
}

/** The verbs that plan and run stages; `listed`: the stages with a verb. */
export function workVerbs(stages: readonly StageModule[], listed: readonly StageModule[]): Verb[] {
  return [
    {
      usage: 'run <recipe>',
      about: 'all stages, one after another; or a plan that was saved',
      load: async () => (await import('../commands/run.ts')).run,
      options: [new Option('--on <target>', `${ON.description}; without it process, or the plan's`), ...WORK.slice(1), DETACH],
    },
    ...listed.map((stage) => stageVerb(stage, stages)),
    {
      usage: 'rehearse <recipe>',
      about: 'the same recipe from end to end at toy size, on this machine',
      load: async () => (await import('../commands/rehearse.ts')).rehearse,
      options: [
        ...WORK,
        new Option('--provider <how>', 'how the practice teachers are asked; artifact: models on this machine answer')
          .choices(['openai', 'huggingface', 'self-hosted', 'batch', 'artifact'])
          .default('openai'),
      ],
    },
    {
      usage: 'plan <recipe|id> [recipe]',
      about: 'what would run, what would be used again, and why',
      load: async () => {
        await import('../commands/parse-once.ts');
        return (await import('../commands/plan.ts')).plan;
      },
      inputs: inputsOf(listed, stages),
      options: [
        new Option('--on <target>', `${ON.description}; without it process`),
        HUB,
        SET,
        JSON_OUT,
        new Option('--stage <name>', 'only this stage').choices(listed.map(({ name }) => name)),
        new Option('--suite <name>', 'the argument is the ID of a finished model: what measuring it takes').choices(
          listed.flatMap(({ measures }) => measures?.suites ?? []),
        ),
        new Option('--out <file>', 'save the plan, for: zephyr run FILE'),
        new Option('--rehearsal', 'plan the rehearsal of the recipe'),
        new Option('--why', 'say for each step why it would (not) run again'),
        new Option('--detailed-exitcode', 'exit with 10 when something would run'),
      ],
    },
  ];
}
