import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRecipe } from '../../../../src/recipe/check.ts';
import { promptsSpec } from '../../../../src/stages/aif/prompts/spec.ts';
import type { AifTeachers } from '../../../../src/stages/aif/spec.ts';
import { minimalRecipe, taughtRecipe } from '../../../recipe/minimal.ts';
import { stages } from '../../../rig/stages.ts';

const mistakes = (change: Partial<AifTeachers>) =>
  checkRecipe(
    taughtRecipe((aif) => ({ ...aif, ...change })),
    stages,
  ).map(({ message }) => message);
const member = (more: Partial<AifTeachers['pool'][number]>) => ({
  weight: 1,
  engine: 'transformers' as const,
  batchSize: 8,
  ...more,
});
const own = (more: object = {}) => member({ model: 'dsft', ...more });

describe('Who answers', () => {
  it('is enough for every prompt, shares counted', () => {
    const pool = [member({ teacher: 'talk' }), member({ teacher: 'rival' })];
    assert.deepEqual(mistakes({ pool: [...pool, own({ share: 0.5 })], answersPerPrompt: 2 }), []);
    assert.deepEqual(mistakes({ pool: [...pool, own({ share: 1 })], answersPerPrompt: 3 }), []);
    assert.deepEqual(mistakes({ pool: [...pool, own({ share: 0.5 })], answersPerPrompt: 3 }), [
      'aif.answersPerPrompt: expected at most 2, members that are drawn by weight or have a share of 1, got 3',
    ]);
    assert.deepEqual(mistakes({ pool, answersPerPrompt: 3 }), [
      'aif.answersPerPrompt: expected at most 2, the size of the pool, got 3',
    ]);
    const shares = pool.map((each) => ({ ...each, share: 0.5 }));
    assert.match(
      mistakes({ pool: [...shares, own({ share: 1 })], answersPerPrompt: 2 })[0] ?? '',
      /at most 2 members with a share/,
    );
  });

  it('has principles of sources that there are, where the recipe holds all prompts', () => {
    const prompts = (list: unknown[]) => promptsSpec.parse({ sources: [{ name: 'flan', list }] });
    const principles = { flna: { honesty: 1 }, default: { helpfulness: 1 } };
    assert.deepEqual(mistakes({ prompts: prompts(['a', 'b']), principles }), [
      'aif.principles: unknown source "flna"; did you mean "flan"?',
    ]);
    assert.deepEqual(mistakes({ prompts: prompts(['b', { prompt: 'a', source: 'flna' }]), principles }), []);
    const elsewhere = promptsSpec.parse({ sources: [{ ref: 'hf://datasets/org/prompts' }] });
    assert.deepEqual(mistakes({ prompts: elsewhere, principles }), [], 'only the dataset knows');
  });

  it('can be told apart: no member is another one again', () => {
    const pool = [member({ teacher: 'talk' }), member({ teacher: 'talk', sampling: { temperature: 0.1 } })];
    assert.match(mistakes({ pool, answersPerPrompt: 2 })[0] ?? '', /^aif\.pool\.1: teacher "talk" is aif\.pool\.0 already/);
    assert.match(mistakes({ pool: [own(), own()], answersPerPrompt: 2 })[0] ?? '', /^aif\.pool\.1: expected another model/);
    assert.deepEqual(mistakes({ pool: [own(), own({ sampling: { temperature: 0.1 } })], answersPerPrompt: 2 }), []);
    const delta = minimalRecipe((data) => {
      data.teachers = { big: { provider: 'openai', model: 'big-1' } };
      data.aif = {
        source: 'delta',
        prompts: { sources: [{ list: ['a'] }] },
        strong: { teacher: 'big' },
        weak: { teacher: 'bag' },
      };
    });
    assert.match(
      checkRecipe(delta, stages)[0]?.message ?? '',
      /^aif\.weak\.teacher: unknown teacher "bag"; did you mean "big"\?/,
    );
  });

  it('is asked prompts of sources that each have a name of their own', () => {
    const { prompts } = taughtRecipe().aif as AifTeachers;
    const [source] = prompts.sources;
    assert.ok(source);
    assert.deepEqual(mistakes({ prompts: { ...prompts, sources: [source, source] } }), [
      'aif.prompts.sources.1: expected a name of its own, "list" is aif.prompts.sources.0',
    ]);
    assert.deepEqual(mistakes({ prompts: { ...prompts, sources: [source, { ...source, name: 'more' }] } }), []);
  });
});
