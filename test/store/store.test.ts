import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ZephyrError } from '../../src/errors.ts';
import { commit, type StoredAddition } from '../../src/store/commit.ts';
import { isLarge } from '../../src/store/large-file.ts';
import { hasLarge, ingest } from '../../src/store/large-files.ts';
import { withLock } from '../../src/store/lock.ts';
import { isFilePath, isRefName, isRepoName } from '../../src/store/names.ts';
import { readBlob, readCommit } from '../../src/store/objects.ts';
import { isAlive, ownMark } from '../../src/store/process-mark.ts';
import { createRef, deleteRef, readRef } from '../../src/store/refs.ts';
import { createRepo, deleteRepo, listRepos, moveRepo, readRepo } from '../../src/store/repos.ts';
import { hubToken, signingSecret } from '../../src/store/secrets.ts';
import { openStore, repoFolder, type Store } from '../../src/store/store.ts';
import { findEntry, listEntries } from '../../src/store/tree.ts';

const repo = { type: 'model' as const, name: 'org/m' };

async function put(
  store: Store,
  add: readonly StoredAddition[],
  branch = 'main',
  id: { type: 'model' | 'dataset'; name: string } = repo,
): Promise<string> {
  const outcome = await commit(store, { repo: id, branch, message: 'Add', add });
  assert.ok(outcome.ok);
  return outcome.commit;
}

describe('The store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-store-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const fresh = async (name: string): Promise<Store> => {
    const store = await openStore(join(folder, name));
    await createRepo(store, repo);
    return store;
  };

  it('creates private repos, and deletes and renames them', async () => {
    const store = await fresh('repos');
    assert.equal((await readRepo(store, repo))?.visibility, 'private');
    assert.equal(await createRepo(store, repo), 'exists');
    assert.equal(await createRepo(store, { type: 'model', name: 'org/a--b' }), 'bad-name');
    assert.equal(await moveRepo(store, repo, { type: 'model', name: 'org/n' }), 'moved');
    assert.deepEqual(await listRepos(store), [{ type: 'model', name: 'org/n' }]);
    assert.equal(await deleteRepo(store, { type: 'model', name: 'org/n' }), true);
    assert.equal(await deleteRepo(store, { type: 'model', name: 'org/n' }), false);
    assert.deepEqual(await listRepos(store), []);
  });

  it('decides what is large by name, size and bytes, and never takes an empty file for large', () => {
    const text = Buffer.from('text');
    for (const path of ['model.safetensors', 'a/b.parquet', 'x.tar.gz', 'events.out.tfevents.123', 'tokenizer.model']) {
      assert.equal(isLarge(path, 4, text), true, path);
      assert.equal(isLarge(path, 0, Buffer.alloc(0)), false, path);
    }
    for (const path of ['README.md', 'tokenizer.json', 'model.safetensors.index.json', 'data.jsonl'])
      assert.equal(isLarge(path, 4, text), false, path);
    assert.equal(isLarge('data.jsonl', 10_000_001, text), true);
    assert.equal(isLarge('a', 4, Buffer.from([1, 0, 2, 3])), true);
    assert.equal(isLarge('a', 4, Buffer.from([0xff, 0xfe, 0x41, 0x41])), true);
    // a sample that is cut inside a character is still text
    assert.equal(isLarge('a', 900, Buffer.from(`${'a'.repeat(511)}é`)), false);
  });

  it('refuses paths, branches and repos that git or the Hub would refuse', () => {
    for (const path of [
      '',
      '/a',
      'a/',
      'a//b',
      '../a',
      'a/../b',
      '.git/config',
      'a/.GIT/x',
      'a\0b',
      'a\nb',
      'a\\b',
      'x'.repeat(300),
    ])
      assert.equal(isFilePath(path), false, path);
    for (const path of ['a', '.gitattributes', 'a b/c', 'é', '...']) assert.equal(isFilePath(path), true, path);
    for (const name of ['HEAD', 'a..b', 'a.lock', '-a', 'a b', 'a~1', 'refs/heads/a', '@', 'a/', '0'.repeat(40), '.a', 'a.'])
      assert.equal(isRefName(name), false, name);
    for (const name of ['main', 'feat/y', 'run-01jz', 'v1.0', 'a@b']) assert.equal(isRefName(name), true, name);
    for (const name of ['a', 'a/b/c', 'a/..', 'a/b.git', 'a/b.']) assert.equal(isRepoName(name), false, name);
  });

  it('refuses a file where a folder is, a path outside, and a large file that is not stored', async () => {
    const store = await fresh('paths');
    await put(store, [{ path: 'a/b.txt', content: 'x' }]);
    const reason = async (add: StoredAddition): Promise<unknown> => {
      const outcome = await commit(store, { repo, branch: 'main', message: 'x', add: [add] });
      return outcome.ok ? undefined : outcome.reason;
    };
    assert.equal(await reason({ path: 'a', content: 'x' }), 'bad-path');
    assert.equal(await reason({ path: '../x', content: 'x' }), 'bad-path');
    assert.equal(await reason({ path: 'w.bin', stored: '0'.repeat(64) }), 'not-stored');
    assert.equal(
      await reason({
        path: 'p.txt',
        content: `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 5\n`,
      }),
      'not-stored',
    );
  });

  it('removes a folder as a whole, and says when there is nothing to remove', async () => {
    const store = await fresh('remove');
    await put(store, [
      { path: 'a/b.txt', content: 'x' },
      { path: 'a/c/d.txt', content: 'y' },
      { path: 'e.txt', content: 'z' },
    ]);
    const outcome = await commit(store, { repo, branch: 'main', message: 'x', add: [], remove: ['a', 'a/b.txt'] });
    assert.ok(outcome.ok);
    assert.deepEqual(await commit(store, { repo, branch: 'main', message: 'x', add: [], remove: ['a'] }), {
      ok: false,
      reason: 'no-entry',
      path: 'a',
    });
  });

  it('follows a symbolic link to the file that it takes in', async () => {
    const store = await fresh('links');
    await writeFile(join(folder, 'real.npz'), Buffer.alloc(100, 1));
    execFileSync('ln', ['-s', join(folder, 'real.npz'), join(folder, 'link.npz')]);
    const pointer = await ingest(store, join(folder, 'link.npz'));
    assert.equal(pointer.size, 100);
    assert.ok(await hasLarge(store, pointer));
  });

  it('replaces an object that the disk has spoilt when it is brought again', async () => {
    const store = await fresh('spoilt');
    const head = await put(store, [{ path: 'a/b.txt', content: 'b' }]);
    const objects = join(repoFolder(store, repo), 'objects');
    for (const entry of await readdir(objects, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || join(entry.parentPath, entry.name).endsWith(join(head.slice(0, 2), head.slice(2)))) continue;
      const path = join(entry.parentPath, entry.name);
      await chmod(path, 0o644);
      await writeFile(path, 'spoilt');
    }
    const opened = await openStore(store.root);
    const outcome = await commit(opened, {
      repo,
      branch: 'main',
      message: 'Again',
      add: [{ path: 'a/b.txt', content: 'b' }],
      remove: 'all',
    });
    assert.deepEqual(outcome, { ok: true, commit: head, changed: false });
    const tree = (await readCommit(repoFolder(store, repo), head))?.tree ?? '';
    const found = await findEntry(await openStore(store.root), repoFolder(store, repo), tree, 'a/b.txt');
    assert.ok((await readBlob(repoFolder(store, repo), found?.id ?? '')).ok);
  });

  it('tells a folder of a commit from a file, in a list and by itself', async () => {
    const store = await fresh('kinds');
    const add = [
      { path: 'a/b/c.txt', content: 'c' },
      { path: 'd.txt', content: 'd' },
    ];
    const outcome = await commit(store, { repo, branch: 'main', message: 'Kinds', add });
    assert.ok(outcome.ok);
    const at = repoFolder(store, repo);
    const tree = (await readCommit(at, outcome.commit))?.tree ?? '';
    const listed = await listEntries(store, at, tree, { recursive: true });
    const own = listed.filter(({ path }) => /^(a|d)/.test(path)).map(({ kind, path, size }) => [kind, path, size]);
    assert.deepEqual(own, [
      ['folder', 'a', 0],
      ['folder', 'a/b', 0],
      ['file', 'a/b/c.txt', 1],
      ['file', 'd.txt', 1],
    ]);
    assert.deepEqual(
      [(await findEntry(store, at, tree, 'a/b'))?.kind, (await findEntry(store, at, tree, ''))?.kind],
      ['folder', 'folder'],
    );
    assert.equal(await findEntry(store, at, tree, 'd.txt/x'), undefined);
  });

  it('keeps a branch and its folder apart, and frees the name of a deleted one', async () => {
    const store = await fresh('refs');
    const at = (await readRef(repoFolder(store, repo), 'heads', 'main')) ?? '';
    assert.equal(await createRef(store, repo, { kind: 'heads', name: 'a/b' }, at), 'created');
    assert.equal(await createRef(store, repo, { kind: 'heads', name: 'a' }, at), 'exists');
    assert.equal(await createRef(store, repo, { kind: 'heads', name: 'c' }, '0'.repeat(40)), 'no-commit');
    assert.equal(await deleteRef(store, repo, 'heads', 'a/b'), true);
    assert.equal(await createRef(store, repo, { kind: 'heads', name: 'a' }, at), 'created');
  });

  it('makes its token and its secret once, for its owner alone', async () => {
    const store = await fresh('secrets');
    const [one, two] = await Promise.all([hubToken(store), hubToken(store)]);
    assert.equal(one, two);
    assert.match(one, /^hf_[A-Za-z0-9]{32}$/);
    assert.equal((await stat(join(store.root, 'token'))).mode & 0o777, 0o600);
    assert.notEqual(await signingSecret(store), one);
  });

  it('takes over the lock of a process that is gone, and lets one at a time in', async () => {
    const path = join(folder, 'locks', 'x');
    await mkdir(join(folder, 'locks'), { recursive: true });
    await symlink(`${process.pid}:1:another-boot`, path);
    let inside = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      assert.equal(inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 10 }, () => withLock(path, work)));
    await assert.rejects(
      withLock(path, async () => {
        throw new Error('inside');
      }),
      /inside/,
    );
    await withLock(path, work);
    assert.deepEqual(await readdir(join(folder, 'locks')), []);
  });

  it('takes over the lock of a killed process that nobody waits for, and none that it cannot see', async () => {
    const parent = spawn(
      'python3',
      ['-c', 'import subprocess; killed = subprocess.Popen(["sleep", "0"]); print(killed.pid, flush=True); input()'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    try {
      const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
      const state = async (): Promise<string> => (await readFile(`/proc/${line}/stat`, 'utf8')).split(') ')[1] ?? '';
      while (!(await state()).startsWith('Z')) await sleep(5);
      const started = (await state()).split(' ')[19];
      const [, , boot, namespace] = ownMark().split(':');
      assert.equal(isAlive([line, started, boot, namespace].join(':')), false);
      assert.equal(isAlive([line, started, boot, '1'].join(':')), true);
      assert.equal(isAlive([line, started, 'another', '1'].join(':')), false);
      assert.equal(isAlive(ownMark()), true);
    } finally {
      parent.kill();
    }
  });

  it('says that the disk is full and publishes nothing', async (t) => {
    const small = join(folder, 'small');
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', small], { stdio: 'pipe' });
    } catch {
      t.skip('may not mount a small disk here');
      return;
    }
    try {
      const store = await openStore(join(small, 'hub'));
      await createRepo(store, repo);
      const head = await put(store, [{ path: 'a.txt', content: 'a' }]);
      await writeFile(join(folder, 'big.npz'), Buffer.alloc(4_000_000, 1));
      const add = [
        { path: 'b.txt', content: 'b' },
        { path: 'big.npz', file: join(folder, 'big.npz') },
      ];
      await assert.rejects(
        commit(store, { repo, branch: 'main', message: 'x', add }),
        (error) => error instanceof ZephyrError && error.exit === 'temporary' && /no space left/.test(error.message),
      );
      assert.equal(await readRef(repoFolder(store, repo), 'heads', 'main'), head);
      assert.deepEqual(await readdir(join(store.root, 'tmp')), []);
      assert.equal(await put(store, [{ path: 'a.txt', content: 'a' }]), head);
      await chmod(join(folder, 'big.npz'), 0o644);
      assert.equal((await readFile(join(folder, 'big.npz'))).length, 4_000_000);
    } finally {
      execFileSync('umount', [small]);
    }
  });
});
