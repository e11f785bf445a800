import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import type { Addition, Hub } from '../../src/hub/hub.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';

const hash = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What every Hub does, whatever is behind it. `open` gives an empty one. */
export function hubContract(name: string, open: (folder: string) => Promise<{ hub: Hub; close(): Promise<void> }>): void {
  const repo: RepoId = { type: 'model', name: 'org/base' };

  const withHub = (work: (hub: Hub, folder: string) => Promise<void>) => async (): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-hub-'));
    const { hub, close } = await open(folder);
    try {
      await work(hub, folder);
    } finally {
      await close();
      await rm(folder, { recursive: true, force: true });
    }
  };

  const head = async (hub: Hub, of: RepoId = repo, branch = 'main'): Promise<string> => {
    const commit = await hub.resolve({ ...of, revision: branch });
    assert.ok(commit);
    return commit;
  };

  const add = async (hub: Hub, additions: readonly Addition[], of: RepoId = repo, branch = 'main'): Promise<ArtifactRef> => {
    const outcome = await hub.commit({ repo: of, branch, parent: await head(hub, of, branch), message: 'Add files', add: additions });
    assert.ok(outcome.ok);
    return { ...of, commit: outcome.commit };
  };

  describe(`${name} keeps the Hub contract`, () => {
    it('creates a repo with an empty first commit, and leaves an existing one alone', withHub(async (hub) => {
      assert.equal(await hub.refs(repo), undefined);
      await hub.createRepo(repo);
      assert.deepEqual(await hub.tree({ ...repo, commit: await head(hub) }), []);
      const ref = await add(hub, [{ path: 'a.txt', content: 'a' }]);
      await hub.createRepo(repo);
      assert.equal(await head(hub), ref.commit);
    }));

    it('tells models and datasets of one name apart and lists both', withHub(async (hub) => {
      const data: RepoId = { type: 'dataset', name: repo.name };
      await hub.createRepo(repo);
      await hub.createRepo(data);
      await add(hub, [{ path: 'x.txt', content: 'x' }], data);
      assert.deepEqual(await hub.tree({ ...repo, commit: await head(hub) }), []);
      assert.deepEqual(await hub.list(), [repo, data]);
    }));

    it('knows nothing of a repo, a branch or a commit that is not there', withHub(async (hub) => {
      assert.equal(await hub.resolve({ ...repo, revision: 'main' }), undefined);
      await hub.createRepo(repo);
      assert.equal(await hub.resolve({ ...repo, revision: 'other' }), undefined);
      assert.equal(await hub.resolve({ ...repo, revision: '0'.repeat(40) }), undefined);
      assert.equal(await hub.read({ ...repo, commit: await head(hub) }, 'none.txt'), undefined);
      await assert.rejects(hub.tree({ ...repo, commit: '0'.repeat(40) }), ZephyrError);
    }));

    it('gives back what was committed: text, bytes, an empty file, a large file and odd names', withHub(async (hub, folder) => {
      await hub.createRepo(repo);
      const large = Buffer.alloc(70_000, 7);
      await writeFile(join(folder, 'weights'), large);
      const ref = await add(hub, [
        { path: 'README.md', content: '# héllo\n' },
        { path: 'sub/dir/bytes.txt', content: Buffer.from('bytes') },
        { path: 'empty.txt', content: '' },
        { path: 'odd names/a b+c#%41é.json', content: '{}' },
        { path: 'weights.npz', file: join(folder, 'weights') },
      ]);
      const tree = await hub.tree(ref);
      assert.deepEqual(tree.map(({ path, size }) => [path, size]), [
        ['README.md', 9],
        ['empty.txt', 0],
        ['odd names/a b+c#%41é.json', 2],
        ['sub/dir/bytes.txt', 5],
        ['weights.npz', large.length],
      ]);
      assert.equal(tree.at(-1)?.sha256, hash(large));
      assert.equal(tree[0]?.sha256, undefined);
      assert.equal(Buffer.from((await hub.read(ref, 'README.md')) ?? []).toString(), '# héllo\n');
      assert.equal((await hub.read(ref, 'empty.txt'))?.length, 0);
      assert.equal(Buffer.from((await hub.read(ref, 'odd names/a b+c#%41é.json')) ?? []).toString(), '{}');
      assert.deepEqual(Buffer.from((await hub.read(ref, 'weights.npz')) ?? []), large);
    }));

    it('refuses a commit on a head that moved, and changes nothing', withHub(async (hub) => {
      await hub.createRepo(repo);
      const parent = await head(hub);
      const ref = await add(hub, [{ path: 'a.txt', content: '1' }]);
      const late = await hub.commit({ repo, branch: 'main', parent, message: 'Late', add: [{ path: 'a.txt', content: '2' }] });
      assert.deepEqual(late, { ok: false, reason: 'moved' });
      assert.equal(await head(hub), ref.commit);
    }));

    it('lets one of many commits with the same parent win', withHub(async (hub) => {
      await hub.createRepo(repo);
      const parent = await head(hub);
      const tries = Array.from({ length: 20 }, (_, i) =>
        hub.commit({ repo, branch: 'main', parent, message: `Try ${i}`, add: [{ path: 'winner.txt', content: String(i) }] }),
      );
      const outcomes = await Promise.all(tries);
      assert.equal(outcomes.filter(({ ok }) => ok).length, 1);
      const won = outcomes.findIndex(({ ok }) => ok);
      assert.equal(Buffer.from((await hub.read({ ...repo, commit: await head(hub) }, 'winner.txt')) ?? []).toString(), String(won));
    }));

    it('makes no commit when nothing changes', withHub(async (hub) => {
      await hub.createRepo(repo);
      const ref = await add(hub, [{ path: 'a.txt', content: '1' }]);
      assert.deepEqual(await add(hub, [{ path: 'a.txt', content: '1' }]), ref);
    }));

    it('removes named files, and all files but those added', withHub(async (hub) => {
      await hub.createRepo(repo);
      const ref = await add(hub, [{ path: 'a.txt', content: 'a' }, { path: 'b/c.txt', content: 'c' }, { path: 'd.txt', content: 'd' }]);
      const some = await hub.commit({ repo, branch: 'main', parent: ref.commit, message: 'Less', add: [], remove: ['b/c.txt', 'none.txt'] });
      assert.ok(some.ok);
      assert.deepEqual((await hub.tree({ ...repo, commit: some.commit })).map(({ path }) => path), ['a.txt', 'd.txt']);
      const all = await hub.commit({ repo, branch: 'main', parent: some.commit, message: 'New', add: [{ path: 'd.txt', content: 'D' }], remove: 'all' });
      assert.ok(all.ok);
      assert.deepEqual((await hub.tree({ ...repo, commit: all.commit })).map(({ path }) => path), ['d.txt']);
      assert.equal((await hub.tree(ref)).length, 3);
    }));

    it('keeps branches, also with a slash, and tags apart from main', withHub(async (hub) => {
      await hub.createRepo(repo);
      const first = await head(hub);
      assert.equal(await hub.createBranch(repo, 'feat/y', first), 'created');
      assert.equal(await hub.createBranch(repo, 'feat/y', first), 'exists');
      const ref = await add(hub, [{ path: 'dir/a.txt', content: 'a' }], repo, 'feat/y');
      assert.equal(await head(hub), first);
      assert.equal(await hub.createTag(repo, 'zk-0123456789abcdef', ref.commit), 'created');
      assert.equal(await hub.createTag(repo, 'zk-0123456789abcdef', first), 'exists');
      assert.deepEqual(await hub.refs(repo), { branches: { 'feat/y': ref.commit, main: first }, tags: { 'zk-0123456789abcdef': ref.commit } });
      assert.equal(await head(hub, repo, 'zk-0123456789abcdef'), ref.commit);
      assert.equal(await head(hub, repo, ref.commit), ref.commit);
    }));

    it('refuses a commit to a branch that is not there', withHub(async (hub) => {
      await hub.createRepo(repo);
      const request = { repo, branch: 'none', parent: await head(hub), message: 'x', add: [{ path: 'a.txt', content: 'a' }] };
      await assert.rejects(hub.commit(request), ZephyrError);
    }));

    it('lists a tree of 1,001 files', withHub(async (hub) => {
      await hub.createRepo(repo);
      const names = Array.from({ length: 1001 }, (_, i) => `files/${String(i).padStart(4, '0')}.txt`);
      const ref = await add(hub, names.map((path) => ({ path, content: path })));
      assert.deepEqual((await hub.tree(ref)).map(({ path }) => path), names);
    }));

    it('lays a commit out as huggingface_hub does and tells the hash of every file', withHub(async (hub, folder) => {
      await hub.createRepo(repo);
      const large = Buffer.alloc(70_000, 3);
      const ref = await add(hub, [{ path: 'sub/w.npz', content: large }, { path: 'config.json', content: '{"a":1}' }, { path: 'empty.txt', content: '' }]);
      const cache = join(folder, 'cache');
      const laid = await hub.materialise(ref, cache);
      assert.equal(laid.folder, join(cache, 'models--org--base', 'snapshots', ref.commit));
      assert.deepEqual(laid.files, [
        { path: 'config.json', size: 7, sha256: hash('{"a":1}') },
        { path: 'empty.txt', size: 0, sha256: hash('') },
        { path: 'sub/w.npz', size: large.length, sha256: hash(large) },
      ]);
      assert.deepEqual(await readFile(join(laid.folder, 'sub/w.npz')), large);
      assert.equal(await readlink(join(laid.folder, 'sub/w.npz')), `../../../blobs/${hash(large)}`);
      assert.deepEqual(await hub.materialise(ref, cache), laid);
    }));

    it('removes what does not belong to the commit from a snapshot that it lays again', withHub(async (hub, folder) => {
      await hub.createRepo(repo);
      const ref = await add(hub, [{ path: 'config.json', content: '{"a":1}' }]);
      const laid = await hub.materialise(ref, join(folder, 'cache'));
      await writeFile(join(laid.folder, 'pytorch_model.bin'), 'x');
      await hub.materialise(ref, join(folder, 'cache'));
      await assert.rejects(readFile(join(laid.folder, 'pytorch_model.bin')));
      assert.equal(await readFile(join(laid.folder, 'config.json'), 'utf8'), '{"a":1}');
    }));

    it('verifies a commit against the hashes of its files', withHub(async (hub) => {
      await hub.createRepo(repo);
      const large = Buffer.alloc(70_000, 5);
      const ref = await add(hub, [{ path: 'w.npz', content: large }, { path: 'a.txt', content: 'a' }]);
      const good = [{ path: 'w.npz', size: large.length, sha256: hash(large) }, { path: 'a.txt', size: 1, sha256: hash('a') }];
      await hub.verify(ref, good);
      await assert.rejects(hub.verify(ref, [{ path: 'w.npz', size: large.length, sha256: hash('other') }]), /"w\.npz"/);
      await assert.rejects(hub.verify(ref, [{ path: 'gone.txt', size: 1, sha256: hash('a') }]), /"gone\.txt"/);
    }));

    it('names the file whose safetensors header does not fit its length', withHub(async (hub, folder) => {
      await hub.createRepo(repo);
      const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [64], data_offsets: [0, 64] } }));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      const ref = await add(hub, [{ path: 'model.safetensors', content: Buffer.concat([length, header, Buffer.alloc(60)]) }]);
      await assert.rejects(hub.materialise(ref, join(folder, 'cache')), /"model\.safetensors" is not a whole safetensors file/);
    }));
  });
}
