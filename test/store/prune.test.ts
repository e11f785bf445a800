import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { localHub } from '../../src/hub/local-hub.ts';
import { commit, type StoredAddition } from '../../src/store/commit.ts';
import { temporaryPath } from '../../src/store/durable.ts';
import { adoptLarge, hasLarge, ingest } from '../../src/store/large-files.ts';
import { readCommit } from '../../src/store/objects.ts';
import { prune } from '../../src/store/prune.ts';
import { createRef, deleteRef } from '../../src/store/refs.ts';
import { createRepo, deleteRepo } from '../../src/store/repos.ts';
import { lfsFile, openStore, repoFolder, type Store } from '../../src/store/store.ts';
import { findEntry } from '../../src/store/tree.ts';

const PROGRAM = new URL('../rig/prune-forever.ts', import.meta.url).pathname;
const SIZE = 1000;
const RUN = `run-${'0'.repeat(26)}`;
const repo = { type: 'model' as const, name: 'org/m' };
const other = { type: 'dataset' as const, name: 'org/d' };
const nothing = { files: 0, bytes: 0, heldBytes: 0 };

const bytesOf = (fill: number): Buffer => Buffer.alloc(SIZE, fill);
const large = (fill: number): StoredAddition => ({ path: 'w.npz', content: bytesOf(fill) });

describe('Giving back the space of large files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-prune-'));
  after(() => rm(folder, { recursive: true, force: true }));

  const fresh = async (name: string): Promise<Store> => {
    const store = await openStore(join(folder, name));
    for (const id of [repo, other]) await createRepo(store, id);
    return store;
  };
  const put = async (store: Store, fill: number, branch = 'main', id: typeof repo | typeof other = repo): Promise<string> => {
    const outcome = await commit(store, { repo: id, branch, message: 'Add', add: [large(fill)] });
    assert.ok(outcome.ok);
    return outcome.commit;
  };
  const held = async (store: Store): Promise<number[]> => {
    const found: number[] = [];
    for (let fill = 0; fill < 16; fill += 1)
      if (await hasLarge(store, { sha256: sha256(bytesOf(fill)), size: SIZE })) found.push(fill);
    return found;
  };

  it('keeps what a branch or a tag leads to, and of the branch of a run its newest commit alone', async () => {
    const store = await fresh('reach');
    const first = await put(store, 1);
    await put(store, 2);
    await createRef(store, repo, { kind: 'heads', name: RUN }, first);
    for (const fill of [3, 4, 5]) await put(store, fill, RUN);
    await put(store, 3, 'main', other);
    assert.deepEqual(await prune(store, { dry: true }), { files: 1, bytes: SIZE, heldBytes: 0 });
    assert.deepEqual(await held(store), [1, 2, 3, 4, 5], 'a look changes nothing');
    assert.deepEqual(await prune(store), { files: 1, bytes: SIZE, heldBytes: 0 });
    assert.deepEqual(await held(store), [1, 2, 3, 5]);
    assert.deepEqual(await prune(store), nothing);
  });

  it('gives back what deleted repos and branches held, and abandoned uploads, unless others hold the same', async () => {
    const store = await fresh('deleted');
    const at = await put(store, 1);
    await createRef(store, repo, { kind: 'heads', name: 'side' }, at);
    await put(store, 2, 'side');
    await put(store, 3, 'main', other);
    const tagged = await put(store, 4, 'main', other);
    await createRef(store, repo, { kind: 'tags', name: 'keep' }, at);
    await createRef(store, other, { kind: 'tags', name: 'v1' }, tagged);
    await put(store, 1, 'main', other);
    assert.ok(await deleteRef(store, repo, 'heads', 'side'));
    await prune(store);
    assert.deepEqual(await held(store), [1, 3, 4]);
    assert.ok(await deleteRepo(store, other));
    assert.deepEqual(await prune(store), { files: 2, bytes: 2 * SIZE, heldBytes: 0 });
    assert.deepEqual(await held(store), [1]);
  });

  it('leaves laid out caches and imported files whole, and does not count their bytes as given back', async () => {
    const store = await fresh('caches');
    const file = join(folder, 'imported.npz');
    await writeFile(file, bytesOf(6));
    const outcome = await commit(store, { repo, branch: 'main', message: 'Add', add: [{ path: 'w.npz', file }] });
    assert.ok(outcome.ok);
    const laid = await localHub(store).materialise({ ...repo, commit: outcome.commit }, join(folder, 'cache'));
    await put(store, 7);
    await deleteRepo(store, repo);
    assert.deepEqual(await prune(store), { files: 2, bytes: SIZE, heldBytes: SIZE });
    assert.deepEqual(await readFile(join(laid.folder, 'w.npz')), bytesOf(6));
    assert.deepEqual(await readFile(file), bytesOf(6));
  });

  it('waits a day for the commit of an upload, and no longer', async () => {
    const store = await fresh('uploads');
    const upload = temporaryPath(store);
    await writeFile(upload, bytesOf(8));
    await adoptLarge(store, upload, sha256(bytesOf(8)));
    assert.deepEqual(await prune(store), nothing);
    const stale = await commit(store, {
      repo,
      branch: 'main',
      parent: '0'.repeat(40),
      message: 'x',
      add: [{ path: 'a', stored: sha256(bytesOf(8)) }],
    });
    assert.equal(stale.ok, false);
    assert.deepEqual(await prune(store), nothing, 'a refused commit is made again');
    const add = [{ path: 'w.npz', stored: sha256(bytesOf(8)) }];
    assert.ok((await commit(store, { repo, branch: 'main', message: 'x', add })).ok);
    await deleteRepo(store, repo);
    assert.deepEqual(await prune(store), { files: 1, bytes: SIZE, heldBytes: 0 });

    const abandoned = temporaryPath(store);
    await writeFile(abandoned, bytesOf(9));
    await adoptLarge(store, abandoned, sha256(bytesOf(9)));
    const longAgo = new Date(Date.now() - 25 * 3600 * 1000);
    for (const name of await readdir(join(store.root, 'wanted')))
      await utimes(join(store.root, 'wanted', name), longAgo, longAgo);
    assert.deepEqual(await prune(await openStore(store.root)), { files: 1, bytes: SIZE, heldBytes: 0 });
  });

  it('takes nothing from a commit that was prepared before and lands after it', async () => {
    const store = await fresh('beside');
    let pruning = true;
    const pruner = (async () => {
      while (pruning) await prune(store);
    })();
    for (let i = 0; i < 40; i += 1) {
      const file = join(folder, `beside-${i}.npz`);
      await writeFile(file, Buffer.alloc(SIZE, `beside ${i}`));
      const add = [
        { path: 'file.npz', file },
        { path: 'bytes.npz', content: Buffer.alloc(SIZE, `bytes ${i}`) },
      ];
      const outcome = await commit(store, { repo, branch: 'main', message: 'x', add });
      assert.ok(outcome.ok);
      await localHub(store).materialise({ ...repo, commit: outcome.commit }, join(folder, 'beside-cache'));
    }
    pruning = false;
    await pruner;
    for (const name of ['tmp', 'wanted']) assert.deepEqual(await readdir(join(store.root, name)), []);
  });

  it('brings a file again that went between being taken in and being committed', async () => {
    const store = await fresh('again');
    const file = join(folder, 'again.npz');
    await writeFile(file, bytesOf(10));
    await ingest(store, file);
    await rm(lfsFile(store, sha256(bytesOf(10))));
    assert.ok((await commit(store, { repo, branch: 'main', message: 'x', add: [{ path: 'w.npz', file }] })).ok);
    assert.deepEqual(await held(store), [10]);
  });

  it('works on a disk that has no byte left', async (t) => {
    const small = join(folder, 'small');
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', small], { stdio: 'pipe' });
    } catch {
      return t.skip('may not mount a small disk here');
    }
    try {
      const store = await fresh('small/hub');
      const content = Buffer.alloc(100_000, 1);
      assert.ok((await commit(store, { repo, branch: 'main', message: 'x', add: [{ path: 'w.npz', content }] })).ok);
      await assert.rejects(writeFile(join(small, 'filler'), Buffer.alloc(1 << 20)), /ENOSPC/);
      assert.ok(await deleteRepo(store, repo));
      assert.deepEqual(await prune(store), { files: 1, bytes: content.length, heldBytes: 0 });
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('deletes nothing when a commit or a tree cannot be read', async () => {
    const store = await fresh('damaged');
    const at = await put(store, 11);
    await put(store, 12, 'main', other);
    await deleteRepo(store, other);
    await rm(join(repoFolder(store, repo), 'objects', at.slice(0, 2), at.slice(2)));
    await assert.rejects(prune(store), /missing/);
    assert.deepEqual(await held(store), [11, 12]);
  });

  for (const [how, spoil] of [
    ['spoilt', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])])],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, 60)],
    ['empty', () => Buffer.alloc(0)],
  ] as const) {
    it(`deletes nothing when the pointer to a large file is ${how}`, async () => {
      const store = await fresh(`pointer-${how}`);
      const at = await put(store, 13);
      const tree = (await readCommit(repoFolder(store, repo), at))?.tree ?? '';
      const id = (await findEntry(store, repoFolder(store, repo), tree, 'w.npz'))?.id ?? '';
      const path = join(repoFolder(store, repo), 'objects', id.slice(0, 2), id.slice(2));
      const bytes = spoil(await readFile(path));
      await chmod(path, 0o644);
      await writeFile(path, bytes);
      const opened = await openStore(store.root);
      await assert.rejects(prune(opened));
      assert.deepEqual(await held(opened), [13]);
      await assert.rejects(localHub(opened).materialise({ ...repo, commit: at }, join(folder, `${how}-cache`)), /unreadable/);
    });
  }

  it('is killed at any moment, beside writers, and leaves every commit whole', async () => {
    const root = join(folder, 'killed');
    const store = await openStore(root);
    await createRepo(store, repo);
    for (let round = 0; round < 6; round += 1) {
      const pruner = spawn(process.execPath, [PROGRAM, root], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(pruner.stdout, 'data');
      let latest = '';
      for (let i = 0; i < 10; i += 1) latest = await put(store, i);
      const gone = once(pruner, 'exit');
      pruner.kill('SIGKILL');
      for (let i = 0; i < 5; i += 1) latest = await put(store, 5 + i);
      await gone;
      const laid = await localHub(store).materialise({ ...repo, commit: latest }, join(folder, `killed-${round}`));
      assert.equal((await stat(join(laid.folder, 'w.npz'))).size, SIZE);
    }
    await prune(store);
    assert.ok((await held(store)).includes(9));
  });
});
