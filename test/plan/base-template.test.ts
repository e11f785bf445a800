import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { RepoId } from '../../src/model/artifact.ts';
import { baseWithTemplate } from '../../src/plan/base-template.ts';
import { minimalRecipe } from '../recipe/minimal.ts';
import { pinsOf, plan } from './planned.ts';

describe('A base model that brings a chat template', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-template-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const hub = await openLocalHub(join(folder, 'hub'));

  /** The name of the base that the plan tells of, where it has these files. */
  async function told(name: string, files: Readonly<Record<string, string>>): Promise<string | undefined> {
    const repo: RepoId = { type: 'model', name: `org/${name}` };
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const add = Object.entries(files).map(([path, content]) => ({ path, content }));
    const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'Add', add });
    assert.ok(outcome.ok);
    const recipe = minimalRecipe();
    const base = { ref: { ...repo, commit: outcome.commit }, digest: 'a'.repeat(64) };
    const pins = new Map([...pinsOf(recipe, ['dsft']), [recipe.base, base] as const]);
    return (await baseWithTemplate(plan(recipe, ['dsft'], { pins }), hub))?.name;
  }

  it('is told of, wherever the template stands', async () => {
    const config = (value: unknown) => ({ 'tokenizer_config.json': JSON.stringify({ chat_template: value }) });
    assert.equal(await told('file', { 'chat_template.jinja': '{{ messages }}' }), 'org/file');
    assert.equal(await told('text', config('{{ messages }}')), 'org/text');
    assert.equal(await told('named', config([{ name: 'default', template: '{{ messages }}' }])), 'org/named');
    assert.equal(await told('null', config(null)), undefined);
    assert.equal(await told('none', { 'tokenizer_config.json': '{}' }), undefined);
    assert.equal(await told('torn', { 'tokenizer_config.json': '{' }), undefined);
    assert.equal(await told('bare', { 'config.json': '{}' }), undefined);
  });

  it('is none where the base is not on the Hub', async () => {
    assert.equal(await baseWithTemplate(plan(minimalRecipe(), ['dsft'], { pins: new Map() }), hub), undefined);
  });
});
