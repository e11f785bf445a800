import assert from 'node:assert/strict';
import { it } from 'node:test';
import { tellNext } from '../../src/commands/tell-next.ts';
import { stepsOf } from '../../src/plan/plan.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { minimalRecipe } from '../recipe/minimal.ts';
import { STAGE_NAMES, stages } from '../rig/stages.ts';

function said(names: readonly string[], t: { mock: typeof import('node:test').mock }): string {
  const written: string[] = [];
  const write = t.mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0);
  tellNext('my recipes/mini.yaml', stepsOf(toRehearsal(minimalRecipe(), stages).recipe, stages, names), stages);
  write.mock.restore();
  return written.join('');
}

it('A rehearsal ends in commands about the last model that it made, and the plan of the real thing', (t) => {
  const { name } = toRehearsal(minimalRecipe(), stages).recipe;
  const text = said(STAGE_NAMES, t);
  const commands = text.match(/zephyr .*/g) ?? [];
  const id = /zephyr chat (\S+)/.exec(text)?.[1] ?? assert.fail(text);
  assert.match(id, new RegExp(`^hf://models/.*/${name}-ddpo$`));
  assert.deepEqual(commands, [`zephyr chat ${id}`, `zephyr report ${id}`, `zephyr plan 'my recipes/mini.yaml'`]);
});

it('Nothing is told of what is next where no model of a stage was made', (t) => assert.equal(said(['setup'], t), ''));
