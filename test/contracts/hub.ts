import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import type { RepoId } from '../../src/model/artifact.ts';
import { checkedReadsContract } from './hub-checked-reads.ts';
import { add, hash, head, type OpenHub, repo, withHub } from './hub-rig.ts';
import { transfersContract } from './hub-transfers.ts';

/** What every Hub does, whatever is behind it. */
export function hubContract(name: string, open: OpenHub): void {
  checkedReadsContract(name, open);
  transfersContract(name, open);

  describe(`${name} keeps the Hub contract`, () => {
    it(
      'creates a repo with an empty first commit, and leaves an existing one alone',
      withHub(open, async (hub) => {
        assert.equal(await hub.refs(repo), undefined);
        await hub.createRepo(repo);
        assert.deepEqual(await hub.tree({ ...repo, commit: await head(hub) }), []);
        const ref = await add(hub, [{ path: 'a.txt', content: 'a' }]);
        await hub.createRepo(repo);
        assert.equal(await head(hub), ref.commit);
      }),
    );

    it(
      'tells models and datasets of one name apart and lists both',
      withHub(open, async (hub) => {
        const data: RepoId = { type: 'dataset', name: repo.name };
        await hub.createRepo(repo);
        await hub.createRepo(data);
        await add(hub, [{ path: 'x.txt', content: 'x' }], data);
        assert.deepEqual(await hub.tree({ ...repo, commit: await head(hub) }), []);
        assert.deepEqual(await hub.list(), [repo, data]);
      }),
    );

    it(
      'knows nothing of a repo, a branch or a commit that is not there',
      withHub(open, async (hub) => {
        assert.equal(await hub.resolve({ ...repo, revision: 'main' }), undefined);
        await hub.createRepo(repo);
        assert.equal(await hub.resolve({ ...repo, revision: 'other' }), undefined);
        assert.equal(await hub.resolve({ ...repo, revision: '0'.repeat(40) }), undefined);
        assert.equal(await hub.read({ ...repo, commit: await head(hub) }, 'none.txt'), undefined);
        await assert.rejects(hub.tree({ ...repo, commit: '0'.repeat(40) }), ZephyrError);
      }),
    );

    it(
      'gives back what was committed: text, bytes, an empty file, a large file and odd names',
      withHub(open, async (hub, folder) => {
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
        assert.deepEqual(
          tree.map(({ path, size }) => [path, size]),
          [
            ['README.md', 9],
            ['empty.txt', 0],
            ['odd names/a b+c#%41é.json', 2],
            ['sub/dir/bytes.txt', 5],
            ['weights.npz', large.length],
          ],
        );
        assert.equal(tree.at(-1)?.sha256, hash(large));
        assert.equal(tree[0]?.sha256, undefined);
        assert.equal(Buffer.from((await hub.read(ref, 'README.md')) ?? []).toString(), '# héllo\n');
        assert.equal((await hub.read(ref, 'empty.txt'))?.length, 0);
        assert.equal(Buffer.from((await hub.read(ref, 'odd names/a b+c#%41é.json')) ?? []).toString(), '{}');
        assert.deepEqual(Buffer.from((await hub.read(ref, 'weights.npz')) ?? []), large);
      }),
    );

    it(
      'refuses a commit on a head that moved, and changes nothing',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const parent = await head(hub);
        const ref = await add(hub, [{ path: 'a.txt', content: '1' }]);
        const late = await hub.commit({ repo, branch: 'main', parent, message: 'Late', add: [{ path: 'a.txt', content: '2' }] });
        assert.deepEqual(late, { ok: false, reason: 'moved' });
        assert.equal(await head(hub), ref.commit);
      }),
    );

    it(
      'lets one of many commits with the same parent win',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const parent = await head(hub);
        const tries = Array.from({ length: 20 }, (_, i) =>
          hub.commit({ repo, branch: 'main', parent, message: `Try ${i}`, add: [{ path: 'winner.txt', content: String(i) }] }),
        );
        const outcomes = await Promise.all(tries);
        assert.equal(outcomes.filter(({ ok }) => ok).length, 1);
        const won = outcomes.findIndex(({ ok }) => ok);
        assert.equal(
          Buffer.from((await hub.read({ ...repo, commit: await head(hub) }, 'winner.txt')) ?? []).toString(),
          String(won),
        );
      }),
    );

    it(
      'makes no commit when nothing changes',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const ref = await add(hub, [{ path: 'a.txt', content: '1' }]);
        assert.deepEqual(await add(hub, [{ path: 'a.txt', content: '1' }]), ref);
      }),
    );

    it(
      'removes named files, and all files but those added',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const ref = await add(hub, [
          { path: 'a.txt', content: 'a' },
          { path: 'b/c.txt', content: 'c' },
          { path: 'd.txt', content: 'd' },
        ]);
        const some = await hub.commit({
          repo,
          branch: 'main',
          parent: ref.commit,
          message: 'Less',
          add: [],
          remove: ['b/c.txt', 'none.txt'],
        });
        assert.ok(some.ok);
        assert.deepEqual(
          (await hub.tree({ ...repo, commit: some.commit })).map(({ path }) => path),
          ['a.txt', 'd.txt'],
        );
        const all = await hub.commit({
          repo,
          branch: 'main',
          parent: some.commit,
          message: 'New',
          add: [{ path: 'd.txt', content: 'D' }],
          remove: 'all',
        });
        assert.ok(all.ok);
        assert.deepEqual(
          (await hub.tree({ ...repo, commit: all.commit })).map(({ path }) => path),
          ['d.txt'],
        );
        assert.equal((await hub.tree(ref)).length, 3);
      }),
    );

    it(
      'keeps branches, also with a slash, and tags apart from main',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const first = await head(hub);
        assert.equal(await hub.createBranch(repo, 'feat/y', first), 'created');
        assert.equal(await hub.createBranch(repo, 'feat/y', first), 'exists');
        const ref = await add(hub, [{ path: 'dir/a.txt', content: 'a' }], repo, 'feat/y');
        assert.equal(await head(hub), first);
        assert.equal(await hub.createTag(repo, 'zk-0123456789abcdef', ref.commit), 'created');
        assert.equal(await hub.createTag(repo, 'zk-0123456789abcdef', first), 'exists');
        assert.deepEqual(await hub.refs(repo), {
          branches: { 'feat/y': ref.commit, main: first },
          tags: { 'zk-0123456789abcdef': ref.commit },
        });
        assert.equal(await head(hub, repo, 'zk-0123456789abcdef'), ref.commit);
        assert.equal(await head(hub, repo, ref.commit), ref.commit);
        await hub.moveTag(repo, 'zk-0123456789abcdef', first);
        assert.deepEqual((await hub.refs(repo))?.tags, { 'zk-0123456789abcdef': first });
      }),
    );

    it(
      'refuses a commit to a branch that is not there',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const request = { repo, branch: 'none', parent: await head(hub), message: 'x', add: [{ path: 'a.txt', content: 'a' }] };
        await assert.rejects(hub.commit(request), ZephyrError);
      }),
    );

    it(
      'deletes branches, tags and repos, and says whether there was one',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const first = await head(hub);
        await hub.createBranch(repo, 'feat/y', first);
        await hub.createTag(repo, 'v1', first);
        assert.equal(await hub.deleteRef(repo, 'branch', 'feat/y'), true);
        assert.equal(await hub.deleteRef(repo, 'branch', 'feat/y'), false);
        assert.equal(await hub.deleteRef(repo, 'tag', 'v1'), true);
        assert.equal(await hub.deleteRef(repo, 'tag', 'v1'), false);
        assert.deepEqual(await hub.refs(repo), { branches: { main: first }, tags: {} });
        assert.equal(await hub.deleteRepo(repo), true);
        assert.equal(await hub.deleteRepo(repo), false);
        assert.equal(await hub.refs(repo), undefined);
      }),
    );

    it(
      'lists a tree of 1,001 files',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const names = Array.from({ length: 1001 }, (_, i) => `files/${String(i).padStart(4, '0')}.txt`);
        const ref = await add(
          hub,
          names.map((path) => ({ path, content: path })),
        );
        assert.deepEqual(
          (await hub.tree(ref)).map(({ path }) => path),
          names,
        );
      }),
    );
  });
}
