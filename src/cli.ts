import { enableCompileCache } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import metadata from '../package.json' with { type: 'json' };
import { diskFault, EXIT, ZephyrError } from './errors.ts';
import type { StageModule } from './stages/module.ts';
import { STAGES } from './stages/registry.ts';
import { ARTIFACT_VERBS } from './verbs/artifacts.ts';
import { HUB_VERB } from './verbs/hub.ts';
import { runVerbs } from './verbs/runs.ts';
import type { Verb } from './verbs/verb.ts';
import { workVerbs } from './verbs/work.ts';

function inputOption({ name, artifact }: StageModule): Option {
  const use = artifact === 'model' ? 'to start from' : 'to learn from';
  return new Option(`--${name} <ref>`, `the ${name} artifact ${use}, hf://${artifact}s/ORG/NAME@COMMIT`);
}

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
