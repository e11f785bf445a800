import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Addition, Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { push } from '../../src/hub/push.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';
import type { Manifest } from '../../src/model/manifest.ts';

const REPO: RepoId = { type: 'model', name: 'org/tuned' };
const MADE: Manifest = {
  version: 1,
  stage: 'dsft',
  step: 'train',
  run: 'run-01arz3ndektsv4rrffq69g5fav',
  fingerprint: '0'.repeat(64),
  ingredients: {},
  inputs: {},
  digest: '0'.repeat(64),
  files: [],
  metrics: {},
  versions: {},
  costUsd: 0,
  attempts: [],
  zephyr: '0.0.0',
  createdAt: '2026-01-01T00:00:00.000Z',
};

async function holding(folder: string, add: readonly Addition[]): Promise<{ hub: Hub; ref: ArtifactRef }> {
  const hub = await openLocalHub(folder);
  await hub.createRepo(REPO);
  const parent = (await hub.resolve({ ...REPO, revision: 'main' })) ?? '';
  const outcome = await hub.commit({ repo: REPO, branch: 'main', parent, message: 'x', add });
  assert.ok(outcome.ok);
  return { hub, ref: { ...REPO, commit: outcome.commit } };
}

test('what a user put beside an artifact is replaced with a yes alone', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-push-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const manifest = { path: 'zephyr.json', content: JSON.stringify(MADE) };
  const from = await holding(join(folder, 'here'), [manifest, { path: 'config.json', content: '{}' }]);
  const to = await holding(join(folder, 'there'), [manifest, { path: 'notes.txt', content: 'of a user' }]);
  const request = { from: from.hub, to: to.hub, ref: from.ref, as: REPO, scratch: join(folder, 'scratch'), begins: () => {} };
  await assert.rejects(push({ ...request, replaces: false }), {
    exit: 'conflict',
    message: /holds what zephyr did not put there/,
  });
  assert.equal(await to.hub.resolve({ ...REPO, revision: 'main' }), to.ref.commit);
  const { ref, isNew } = await push({ ...request, replaces: true });
  assert.ok(isNew);
  assert.deepEqual((await to.hub.tree(ref)).map(({ path }) => path).sort(), ['config.json', 'zephyr.json']);
});
