import { enableCompileCache } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import metadata from '../package.json' with { type: 'json' };
import { diskFault, EXIT, ZephyrError } from './errors.ts';
import type { StageModule } from './stages/module.ts';
import { STAGES } from './stages/registry.ts';

const ON = new Option('--on <target>', 'where jobs run: a name in configs/targets, or a file').default('process');
const HUB = new Option('--hub <url>', 'a Hugging Face Hub over HTTP instead of the embedded one');
const listOption = (flags: string, about: string): Option =>
  new Option(flags, about).argParser((text: string, all: string[]) => [...all, text]).default([], 'none');
const SET = listOption('--set <path=value>', 'change one value of the recipe, null takes it away; may be repeated');
const JSON_OUT = new Option('--json', 'machine-readable output on stdout');
const TAKE_OVER = new Option('--take-over', 'own a run although its last owner is out of sight');
const NEW_RUN = new Option('--new-run', 'begin again instead of going on with an unfinished equal run');
const YES = new Option('--yes', 'agree to what teachers cost where no budget limits it');
const DETACH = new Option('--detach', 'have a job of the cluster work on it, and leave');
const RESUME = new Option('--resume <id>', 'go on with this run instead of reading a recipe');

const OTHER = 'HF_ENDPOINT or https://huggingface.co without it';

const PHASES = ['running', 'detached', 'stopped', 'failed', 'cancelled', 'done'];

/** What every verb gets: the options as commander read them, and the stages. Each returns its exit status. */
type Run = (arguments_: string[], options: Record<string, unknown>, stages: readonly StageModule[]) => Promise<number>;

interface Verb {
  readonly usage: string;
  readonly about: string;
  readonly load: () => Promise<Run>;
  readonly options: readonly Option[];
  /** stages whose artifacts it takes: an option for each, handed on as `inputs` */
  readonly inputs?: readonly StageModule[];
}

/** The stages whose artifacts these take. */
function inputsOf(takers: readonly StageModule[], stages: readonly StageModule[]): StageModule[] {
  return stages.filter(({ name }) => takers.some(({ inputs }) => inputs.includes(name)));
}

function inputOption({ name, artifact }: StageModule): Option {
  const use = artifact === 'model' ? 'to start from' : 'to learn from';
  return new Option(`--${name} <ref>`, `the ${name} artifact ${use}, hf://${artifact}s/ORG/NAME@COMMIT`);
}

const WORK = [ON, HUB, SET, JSON_OUT, YES, NEW_RUN, TAKE_OVER];

/** The verbs that plan and run stages; `listed`: the stages with a verb. */
function workVerbs(stages: readonly StageModule[], listed: readonly StageModule[]): Verb[] {
  return [
    {
      usage: 'run <recipe>',
      about: 'all stages, one after another; or a plan that was saved',
      load: async () => (await import('./commands/run.ts')).run,
      options: [new Option('--on <target>', `${ON.description}; without it process, or the plan's`), ...WORK.slice(1), DETACH],
    },
    ...listed.map((stage) => ({
      usage: `${stage.name} [recipe]`,
      about: stage.about,
      load: async () => (await import('./commands/stage.ts')).stage(stage.name),
      inputs: inputsOf([stage], stages),
      options: [...WORK, RESUME, DETACH],
    })),
    {
      usage: 'rehearse <recipe>',
      about: 'the same recipe from end to end at toy size, on this machine',
      load: async () => (await import('./commands/rehearse.ts')).rehearse,
      options: [
        ...WORK,
        new Option('--provider <how>', 'how the practice teachers are asked; artifact: models on this machine answer')
          .choices(['openai', 'huggingface', 'self-hosted', 'batch', 'artifact'])
          .default('openai'),
      ],
    },
    {
      usage: 'plan <recipe>',
      about: 'what would run, what would be used again, and why',
      load: async () => {
        await import('./commands/parse-once.ts');
        return (await import('./commands/plan.ts')).plan;
      },
      inputs: inputsOf(listed, stages),
      options: [
        ON,
        HUB,
        SET,
        JSON_OUT,
        new Option('--stage <name>', 'only this stage').choices(listed.map(({ name }) => name)),
        new Option('--out <file>', 'save the plan, for: zephyr run FILE'),
        new Option('--rehearsal', 'plan the rehearsal of the recipe'),
        new Option('--why', 'say for each step why it would (not) run again'),
        new Option('--detailed-exitcode', 'exit with 10 when something would run'),
      ],
    },
  ];
}

/** The verbs about runs, of this process or of another. */
function runVerbs(stages: readonly StageModule[]): Verb[] {
  return [
    {
      usage: 'resume <id>',
      about: 'go on with a run where it stopped, from any folder',
      load: async () => (await import('./commands/resume.ts')).resume,
      options: [
        new Option('--on <target>', 'another target than the one the run began on'),
        HUB,
        SET,
        JSON_OUT,
        YES,
        TAKE_OVER,
        DETACH,
      ],
    },
    {
      usage: 'status [id]',
      about: 'the runs on the Hub, or one of them',
      load: async () => (await import('./commands/status.ts')).status,
      options: [
        HUB,
        JSON_OUT,
        new Option('--stage <name>', 'runs of this stage only').choices(stages.map(({ name }) => name)),
        new Option('--phase <name>', 'runs in this phase only').choices(PHASES),
        new Option('--repo <text>', 'runs of repos with this in their name only'),
        new Option('--limit <number>', 'the newest so many'),
        new Option('--clean', 'what ended runs have left: their branches, and job folders on this machine'),
        new Option('--yes', '--clean: delete what was only listed without it'),
      ],
    },
    {
      usage: 'wait <id>',
      about: 'until a run ends, whoever works on it; exits as status does',
      load: async () => (await import('./commands/wait.ts')).wait,
      options: [HUB, JSON_OUT, new Option('--timeout <seconds>', 'give up waiting; exits with 7')],
    },
    {
      usage: 'logs <id>',
      about: 'what the jobs of a run printed, or what zephyr did',
      load: async () => (await import('./commands/logs.ts')).logs,
      options: [
        HUB,
        new Option('-f, --follow', 'go on as the run goes on'),
        new Option('--events', "the run's log: all that zephyr did and saw, on whatever machine"),
        new Option('--json', '--events: the lines of the log as they are'),
      ],
    },
    {
      usage: 'cancel <id>',
      about: 'stop the job of a run; its checkpoint is kept',
      load: async () => (await import('./commands/cancel.ts')).cancel,
      options: [HUB, JSON_OUT],
    },
  ];
}

const ARTIFACT_VERBS: readonly Verb[] = [
  {
    usage: 'inspect <id>',
    about: 'an artifact and where it comes from',
    load: async () => (await import('./commands/inspect.ts')).inspect,
    options: [HUB, JSON_OUT],
  },
  {
    usage: 'report <id>',
    about: 'how an artifact was made and how good it is, as one page',
    load: async () => (await import('./commands/model-report.ts')).modelReport,
    options: [
      HUB,
      JSON_OUT,
      new Option('--out <file>', 'where to write the page, NAME-report.html here without it'),
      new Option('--markdown <file>', 'add the same in Markdown to this file, such as $GITHUB_STEP_SUMMARY'),
    ],
  },
  {
    usage: 'compare <ids...>',
    about: 'models that were evaluated, or evaluations, item by item',
    load: async () => (await import('./commands/compare.ts')).compare,
    options: [HUB, JSON_OUT],
  },
  {
    usage: 'review <id>',
    about: 'pairs of feedback as one page to read in a browser',
    load: async () => (await import('./commands/review.ts')).review,
    options: [
      HUB,
      JSON_OUT,
      new Option('--out <file>', 'where to write the page, NAME-review.html here without it'),
      new Option('--rows <number>', 'pairs to show, drawn by the seed, or all').default('300'),
      new Option('--seed <number>', 'draws the pairs').default('42'),
    ],
  },
  {
    usage: 'export <id>',
    about: 'pairs of feedback for people to judge in a labelling tool',
    load: async () => (await import('./commands/export.ts')).exportFeedback,
    options: [
      HUB,
      JSON_OUT,
      new Option('--to <folder>', 'an empty folder, or one that is not there yet'),
      new Option('--as <tool>', 'layout of the folder').choices(['argilla']).default('argilla'),
    ],
  },
];

const HUB_VERB: Verb = {
  usage: 'hub <action> [names...]',
  about: 'the embedded Hub: serve, ls, import FOLDER, pull REF, push REF, rm REF, prune',
  load: async () => (await import('./commands/hub.ts')).hub,
  options: [
    HUB,
    JSON_OUT,
    new Option('--port <number>', 'serve: the port on 127.0.0.1').default('7600'),
    new Option('--as <ref>', 'import, pull, push: the repo to bring it to, hf://models/ORG/NAME'),
    new Option('--from <url>', `pull: the Hub to pull from, ${OTHER}`),
    new Option('--to <url>', `push: the Hub to push to, ${OTHER}`),
    listOption('--include <glob>', 'pull: only files that fit; may be repeated'),
    listOption('--exclude <glob>', 'pull: no files that fit; may be repeated'),
    new Option('--yes', 'prune, rm, push: do what was only told or asked without it'),
  ],
};

function paperVerbs(program: Command): Verb[] {
  return [
    {
      usage: 'init [recipe]',
      about: 'write a recipe to begin with into this folder',
      load: async () => (await import('./commands/init.ts')).init,
      options: [],
    },
    {
      usage: 'schema <kind>',
      about: 'JSON Schema of a recipe or a target, for editors',
      load: async () => (await import('./commands/schema.ts')).schema,
      options: [],
    },
    {
      usage: 'completion <shell>',
      about: 'completion script for bash, zsh or fish',
      load: async () => (await import('./commands/completion.ts')).completion(program),
      options: [],
    },
  ];
}

async function main(stages: readonly StageModule[]): Promise<number> {
  let status: number = EXIT.done;
  const listed = stages.filter(({ rehearsalOnly }) => rehearsalOnly !== true);
  const names = listed.map(({ name }) => name).join(', ');
  const program = new Command('zephyr')
    .description(`From a base model to an aligned chat model: ${names}; every stage resumable by artifact ID`)
    .version(metadata.version, '-v, --version')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })
    .showSuggestionAfterError()
    .showHelpAfterError('hint: zephyr --help, or zephyr VERB --help')
    .exitOverride();
  const verbs = [...workVerbs(stages, listed), ...runVerbs(stages), ...ARTIFACT_VERBS, HUB_VERB, ...paperVerbs(program)];
  for (const { usage, about, load, options, inputs = [] } of verbs) {
    const command = program.command(usage).description(about);
    for (const option of options) command.addOption(option);
    const taken = inputs.map((stage) => ({ stage: stage.name, option: inputOption(stage) }));
    for (const { option } of taken) command.addOption(option);
    command.action(async (...given: unknown[]) => {
      // compiled code is kept from one start to the next, in the folder for temporary files
      enableCompileCache();
      const values = given.slice(0, -2).filter((value) => value !== undefined) as string[];
      const read = given.at(-2) as Record<string, unknown>;
      const refs = taken.map(({ stage, option }) => [stage, read[option.attributeName()]]).filter(([, ref]) => ref !== undefined);
      status = await (await load())(values.flat(), { ...read, inputs: Object.fromEntries(refs) }, stages);
    });
  }
  try {
    await program.parseAsync();
    return await concluded(status);
  } catch (thrown) {
    return await failed(thrown);
  }
}

async function failed(thrown: unknown): Promise<number> {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : await concluded(EXIT.usage, thrown);
  const error = thrown instanceof ZephyrError ? thrown : (diskFault(thrown, 'go on') ?? thrown);
  const { failureText } = await import('./commands/failure.ts');
  process.stderr.write(failureText(error));
  return await concluded(error instanceof ZephyrError ? EXIT[error.exit] : EXIT.bug, error);
}

/** The exit status; a program that reads `--json` is told it as well, and of a bug too. */
async function concluded(exit: number, error?: unknown): Promise<number> {
  if (!process.argv.includes('--json')) return exit;
  const { lastLine } = await import('./commands/verdict.ts');
  process.stdout.write(lastLine(exit, error));
  return exit;
}

// A reader that has seen enough (`| head`) closes the pipe: that is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // the window of the terminal is gone: what is under way is put away all the same, see commands/interrupt.ts
    if (error.code === 'EIO') return;
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.done);
  });
}
process.exitCode = await main(STAGES);
