import { shellWord } from '../errors.ts';
import { formatRepo } from '../model/artifact.ts';
import { type Stage, userStages } from '../stages/module.ts';
import type { Step } from '../stages/stage.ts';
import { hubOption } from './same-hub.ts';

/** What can be done with the last model that a rehearsal made, and the command that looks at the real thing. */
export function tellNext(recipe: string, steps: readonly Step[], registry: readonly Stage[]): void {
  const models = userStages(registry).filter(({ artifact }) => artifact === 'model');
  const made = steps.findLast(({ stage, output }) => output.type === 'model' && models.some(({ name }) => name === stage));
  if (made === undefined) return;
  const id = `${formatRepo(made.output)}${hubOption()}`;
  const ways = [
    ['talk to it', `zephyr chat ${id}`],
    ['see how it went', `zephyr report ${id}`],
    ['the real thing', `zephyr plan ${shellWord(recipe)}`],
  ];
  process.stderr.write(`\nWhat next:\n${ways.map(([what = '', command]) => `  ${what.padEnd(16)} ${command}\n`).join('')}`);
}
