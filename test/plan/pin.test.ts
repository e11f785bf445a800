import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { beginRun } from '../../src/engine/open-run.ts';
import { ZephyrError } from '../../src/errors.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { RepoId } from '../../src/model/artifact.ts';
import { contentDigest } from '../../src/model/content-digest.ts';
import { fingerprintTag } from '../../src/model/fingerprint.ts';
import { findCandidate, nearestCandidate } from '../../src/plan/find.ts';
import { pinRefs } from '../../src/plan/pin.ts';
import { newRun } from '../rig/new-run.ts';

describe('Pins and candidates', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-pin-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const hub = await openLocalHub(join(folder, 'hub'));

  async function publish(repo: RepoId, files: Record<string, string | Uint8Array>): Promise<string> {
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const add = Object.entries(files).map(([path, content]) => ({ path, content }));
    const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'Add', add });
    assert.ok(outcome.ok);
    return outcome.commit;
  }

  const fileDigest = (path: string, bytes: string | Uint8Array) => ({
    path,
    size: Buffer.byteLength(bytes),
    sha256: sha256(bytes),
  });
  const manifestOf = (fingerprint: string, digest: string) =>
    JSON.stringify({
      version: 1,
      stage: 'dsft',
      step: 'train',
      run: 'run-1',
      fingerprint,
      ingredients: {},
      inputs: {},
      digest,
      files: [],
      metrics: {},
      versions: {},
      costUsd: 0,
      attempts: [],
      zephyr: '0.1.0',
      createdAt: '2026-01-01T00:00:00Z',
    });

  it('turn a run that is done into what it made, and refuse one that is not', async () => {
    const now = () => new Date();
    const run = await beginRun(hub, now, newRun('test/out'));
    const id = `hf://models/test/out@${run.state.run}`;
    await assert.rejects(pinRefs([id], hub), {
      exit: 'preflight',
      message: /what hf:.* made: the run is running, expected done/,
    });
    const made = { ref: { type: 'model' as const, name: 'test/out', commit: 'c'.repeat(40) }, digest: 'd'.repeat(64) };
    const steps = { train: { fingerprint: 'f'.repeat(64), artifact: made } };
    await run.advance({ ...run.state, phase: 'done', owner: null, steps }, 'done');
    assert.deepEqual((await pinRefs([id], hub)).get(id), made);
  });

  it('turn a branch into the commit that it is now, and name the bytes there, small files and large', async () => {
    const weights = Buffer.alloc(64_000, 7);
    const commit = await publish(
      { type: 'model', name: 'org/base' },
      { 'config.json': '{}', 'model.safetensors': weights, 'README.md': 'card' },
    );
    const pins = await pinRefs(['hf://models/org/base', `hf://models/org/base@${commit}`], hub);
    const digest = contentDigest([fileDigest('config.json', '{}'), fileDigest('model.safetensors', weights)]);
    assert.deepEqual(pins.get('hf://models/org/base'), { ref: { type: 'model', name: 'org/base', commit }, digest });
    assert.equal(pins.get(`hf://models/org/base@${commit}`)?.digest, digest);
  });

  it('believe the manifest of what zephyr published: who reads the bytes checks them', async () => {
    await publish(
      { type: 'model', name: 'org/made' },
      { 'zephyr.json': manifestOf('1'.repeat(64), '2'.repeat(64)), 'config.json': '{}' },
    );
    assert.equal((await pinRefs(['hf://models/org/made'], hub)).get('hf://models/org/made')?.digest, '2'.repeat(64));
  });

  it('refuse every reference without a meaning at once', async () => {
    const error: unknown = await pinRefs(['hf://models/org/none', 'hf://models/org/base@v9', 'hf://models/org/base'], hub).catch(
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof ZephyrError);
    assert.equal(error.exit, 'preflight');
    assert.match(error.message, /"hf:\/\/models\/org\/none"[\s\S]*\n[\s\S]*revision "v9" of "hf:\/\/models\/org\/base"/);
    assert.match(
      error.hint ?? '',
      /zephyr hub pull hf:\/\/models\/org\/none .*zephyr hub import FOLDER --as hf:\/\/models\/org\/none/,
    );
    await assert.rejects(pinRefs(['hf://models/org/base@v9'], hub), {
      hint: /^it has main; or .*zephyr hub pull hf:\/\/models\/org\/base@v9/,
    });
  });

  it('find what an equal step published by its tag, and only with the whole fingerprint equal', async () => {
    const repo: RepoId = { type: 'model', name: 'org/found' };
    const fingerprint = 'ab'.repeat(32);
    const other = `${fingerprint.slice(0, 16)}${'0'.repeat(48)}`;
    const commit = await publish(repo, { 'zephyr.json': manifestOf(fingerprint, '3'.repeat(64)) });
    assert.equal(await findCandidate(hub, repo, fingerprint), undefined);
    await hub.createTag(repo, fingerprintTag(fingerprint), commit);
    assert.deepEqual((await findCandidate(hub, repo, fingerprint))?.artifact, {
      ref: { ...repo, commit },
      digest: '3'.repeat(64),
    });
    assert.equal(await findCandidate(hub, repo, other), undefined);
    assert.equal((await nearestCandidate(hub, repo))?.manifest.fingerprint, fingerprint);
  });

  it('find nothing in a repo that is not there, that is empty, or whose manifest cannot be read', async () => {
    assert.equal(await nearestCandidate(hub, { type: 'model', name: 'org/absent' }), undefined);
    await publish({ type: 'model', name: 'org/torn' }, { 'zephyr.json': '{"version": 1' });
    assert.equal(await nearestCandidate(hub, { type: 'model', name: 'org/torn' }), undefined);
  });
});
