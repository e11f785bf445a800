import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { localHub } from '../../src/hub/local-hub.ts';
import { commit, type StoredAddition } from '../../src/store/commit.ts';
import { temporaryPath } from '../../src/store/durable.ts';
import { adoptLarge, hasLarge } from '../../src/store/large-files.ts';
import { prune } from '../../src/store/prune.ts';
import { reclaim } from '../../src/store/reclaim.ts';
import { createRef, deleteRef } from '../../src/store/refs.ts';
import { createRepo, deleteRepo, moveRepo } from '../../src/store/repos.ts';
import { openStore, repoFolder, type Store } from '../../src/store/store.ts';

const SIZE = 1000;
const RUN = `run-${'0'.repeat(26)}`;
const repo = { type: 'model' as const, name: 'org/m' };
const other = { type: 'dataset' as const, name: 'org/d' };
const nothing = { files: 0, bytes: 0, heldBytes: 0 };

const bytesOf = (fill: number): Buffer => Buffer.alloc(SIZE, fill);
const large = (fill: number): StoredAddition => ({ path: 'w.npz', content: bytesOf(fill) });

describe('Giving back the space of what was dropped', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-reclaim-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const put = async (
    store: Store,
    id: typeof repo | typeof other,
    branch: string,
    fill: number,
    keep = false,
  ): Promise<string> => {
    const outcome = await commit(store, {
      repo: id,
      branch,
      message: 'Add',
      add: [large(fill)],
      ...(keep ? {} : { remove: 'all' }),
    });
    assert.ok(outcome.ok);
    return outcome.commit;
  };
  const has = (store: Store, fill: number): Promise<boolean> => hasLarge(store, { sha256: sha256(bytesOf(fill)), size: SIZE });
  const withRun = async (name: string): Promise<Store> => {
    const store = await openStore(join(folder, name));
    for (const id of [repo, other]) await createRepo(store, id);
    const main = await put(store, repo, 'main', 1);
    assert.equal(await createRef(store, repo, { kind: 'heads', name: RUN }, main), 'created');
    await put(store, repo, RUN, 2);
    return store;
  };

  it('keeps what any other branch, tag or repo leads to, and gives back the rest', async () => {
    const store = await withRun('kept');
    await put(store, repo, RUN, 3);
    assert.deepEqual(await reclaim(store), { files: 1, bytes: SIZE, heldBytes: 0 });
    assert.deepEqual([await has(store, 1), await has(store, 2), await has(store, 3)], [true, false, true]);
    await put(store, other, 'main', 3);
    const tagged = await put(store, repo, RUN, 4);
    await createRef(store, repo, { kind: 'tags', name: 'kept' }, tagged);
    await put(store, repo, RUN, 5);
    assert.deepEqual(await reclaim(store), nothing);
    assert.deepEqual([await has(store, 3), await has(store, 4)], [true, true]);
    assert.deepEqual(await prune(store, { dry: true }), nothing, 'it says what a look at everything says');
  });

  it('looks at nothing that did not change, however many repos and commits there are', async () => {
    const store = await withRun('many');
    for (let i = 0; i < 30; i += 1) {
      await put(store, repo, 'main', i % 2);
      const small = { type: 'dataset' as const, name: `org/small-${i}` };
      await createRepo(store, small);
      const outcome = await commit(store, {
        repo: small,
        branch: 'main',
        message: 'Add',
        add: [{ path: 'a.txt', content: `${i}` }],
      });
      assert.ok(outcome.ok);
      // whoever looked here would throw
      await rm(join(repoFolder(store, small), 'objects'), { recursive: true });
    }
    await put(store, repo, RUN, 3);
    const opened = await openStore(store.root);
    assert.deepEqual(await reclaim(opened), { files: 1, bytes: SIZE, heldBytes: 0 });
    assert.equal(opened.trees.size, 1, 'the newest tree of the run alone was read');
    await assert.rejects(prune(opened), /missing/);
  });

  it('enters a store that an earlier zephyr filled, once', async () => {
    const store = await withRun('earlier');
    await put(store, other, 'main', 6);
    await put(store, repo, RUN, 6);
    await rm(join(store.root, 'holders'), { recursive: true });
    await rm(join(store.root, 'dropped'), { recursive: true });
    const opened = await openStore(store.root);
    assert.deepEqual(await reclaim(opened), { files: 1, bytes: SIZE, heldBytes: 0 });
    await put(opened, repo, RUN, 7);
    assert.deepEqual(await reclaim(opened), nothing, 'the other repo holds it');
    assert.deepEqual([await has(opened, 2), await has(opened, 6)], [false, true]);
  });

  it('gives back what a deleted run and a deleted repo held, under their new names too', async () => {
    const store = await withRun('renamed');
    await put(store, other, 'main', 8);
    await put(store, repo, RUN, 9);
    const moved = { type: 'model' as const, name: 'org/moved' };
    assert.equal(await moveRepo(store, repo, moved), 'moved');
    assert.deepEqual(await reclaim(store), { files: 1, bytes: SIZE, heldBytes: 0 }, 'what the run had dropped before');
    assert.ok(await deleteRef(store, moved, 'heads', RUN));
    assert.deepEqual(await reclaim(store), { files: 1, bytes: SIZE, heldBytes: 0 });
    assert.deepEqual([await has(store, 1), await has(store, 8), await has(store, 9)], [true, true, false]);
    assert.ok(await deleteRepo(store, other));
    assert.deepEqual(await reclaim(store), { files: 1, bytes: SIZE, heldBytes: 0 });
    assert.deepEqual([await has(store, 1), await has(store, 8)], [true, false]);
  });

  it('deletes nothing when the newest commit of a run that is asked cannot be read', async () => {
    const store = await withRun('damaged');
    const head = await put(store, repo, RUN, 3);
    await rm(join(repoFolder(store, repo), 'objects', head.slice(0, 2), head.slice(2)));
    await assert.rejects(reclaim(store), /missing/);
    assert.ok(await has(store, 2));
  });

  it('gives back an upload that nobody committed for a day', async () => {
    const store = await withRun('upload');
    const path = temporaryPath(store);
    await writeFile(path, bytesOf(12));
    await adoptLarge(store, path, sha256(bytesOf(12)));
    assert.deepEqual(await reclaim(store), nothing);
    const longAgo = new Date(Date.now() - 25 * 3600 * 1000);
    await utimes(join(store.root, 'wanted', sha256(bytesOf(12))), longAgo, longAgo);
    assert.deepEqual(await reclaim(await openStore(store.root)), { files: 1, bytes: SIZE, heldBytes: 0 });
  });

  it('takes nothing from commits of other repos that bring the same bytes at the same time', async () => {
    const store = await withRun('beside');
    let running = true;
    const dropping = (async () => {
      for (let i = 0; running; i += 1) {
        await put(store, repo, RUN, i % 3);
        await reclaim(store);
      }
    })();
    for (let i = 0; i < 40; i += 1) {
      const at = await put(store, other, 'main', i % 3);
      await localHub(store).materialise({ ...other, commit: at }, join(folder, 'beside-cache'));
    }
    running = false;
    await dropping;
  });
});
