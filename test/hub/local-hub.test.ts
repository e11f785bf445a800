import assert from 'node:assert/strict';
import { chmod, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { ZephyrError } from '../../src/errors.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';
import { objectId } from '../../src/store/git-object.ts';
import { hubContract } from '../contracts/hub.ts';

hubContract('The local Hub', async (folder) => ({ hub: await openLocalHub(join(folder, 'hub')), close: async () => {} }));

describe('The local Hub', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-local-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const repo: RepoId = { type: 'dataset', name: 'org/data' };

  async function publish(
    name: string,
    bytes: Buffer,
  ): Promise<{ hub: Hub; root: string; file: string; ref: ArtifactRef; stored: string }> {
    const root = join(folder, name);
    const hub = await openLocalHub(root);
    const file = join(folder, `${name}.file`);
    await writeFile(file, bytes);
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const outcome = await hub.commit({
      repo,
      branch: 'main',
      parent,
      message: 'Add',
      add: [
        { path: 'data/x.parquet', file },
        { path: 'a.txt', content: 'text' },
      ],
    });
    assert.ok(outcome.ok);
    const sha = (await hub.tree({ ...repo, commit: outcome.commit })).find(({ path }) => path === 'data/x.parquet')?.sha256 ?? '';
    return {
      hub,
      root,
      file,
      ref: { ...repo, commit: outcome.commit },
      stored: join(root, 'lfs', sha.slice(0, 2), sha.slice(2, 4), sha),
    };
  }

  it('copies no byte of a large file: the file, the stored one and the laid out one are the same', async () => {
    const { hub, file, ref, stored } = await publish('links', Buffer.alloc(100_000, 1));
    const laid = await hub.materialise(ref, join(folder, 'links-cache'));
    const inodes = await Promise.all(
      [file, stored, join(laid.folder, 'data/x.parquet')].map(async (path) => (await stat(path)).ino),
    );
    assert.equal(new Set(inodes).size, 1);
    assert.equal((await stat(stored)).mode & 0o777, 0o444);
    assert.equal((await stat(stored)).nlink, 3);
  });

  it('finds a flipped byte and names the artifact, the file and both hashes', async () => {
    const { hub, ref, stored } = await publish('flipped', Buffer.alloc(100_000, 2));
    await chmod(stored, 0o644);
    const file = await open(stored, 'r+');
    await file.write(Buffer.from([9]), 0, 1, 50_000);
    await file.close();
    const check = (error: unknown): true => {
      assert.ok(error instanceof ZephyrError);
      assert.equal(error.exit, 'preflight');
      assert.match(
        error.message,
        new RegExp(
          `hf://datasets/org/data@${ref.commit}.*"data/x\\.parquet" has sha256 [0-9a-f]{64}, expected sha256 [0-9a-f]{64}`,
        ),
      );
      return true;
    };
    await assert.rejects(hub.materialise(ref, join(folder, 'flipped-cache')), check);
    await assert.rejects(hub.read(ref, 'data/x.parquet'), check);
  });

  it('finds damage in a file that lies inside the commit', async () => {
    const { hub, root, ref } = await publish('inside', Buffer.alloc(100_000, 3));
    const id = objectId('blob', Buffer.from('text'));
    const object = join(root, 'repos/datasets/org/data/objects', id.slice(0, 2), id.slice(2));
    await rm(object);
    await writeFile(object, deflateSync('blob 4\0tekt'));
    await assert.rejects(hub.read(ref, 'a.txt'), new RegExp(`"a\\.txt" has git id [0-9a-f]{40}, expected git id ${id}`));
    await assert.rejects(hub.materialise(ref, join(folder, 'inside-cache')), /"a\.txt"/);
  });

  it('gives a run a folder of its own on the store', async () => {
    const { hub, root } = await publish('journal', Buffer.alloc(100_000, 4));
    assert.ok(hub.runFolder(repo, 'run-1')?.startsWith(root));
    assert.notEqual(hub.runFolder(repo, 'run-1'), hub.runFolder(repo, 'run-2'));
  });
});
