import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { commit, type StoredAddition } from '../../src/store/commit.ts';
import { decodeCommit, decodeTree, encodeCommit, encodeTree, objectId } from '../../src/store/git-object.ts';
import { ingestBytes } from '../../src/store/large-files.ts';
import { pointerText } from '../../src/store/lfs-pointer.ts';
import { createRef, readRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore, repoFolder } from '../../src/store/store.ts';

const git = (cwd: string, args: string[], input = '', env: Record<string, string> = {}): string =>
  execFileSync('git', args, {
    cwd,
    input,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', ...env },
  }).trim();

describe('A repo of the store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-git-'));
  after(() => rm(folder, { recursive: true, force: true }));

  it('has the ids that git gives to the same blobs, trees and commits', () => {
    git(folder, ['init', '-q', 'plain']);
    const plain = join(folder, 'plain');
    const blob = Buffer.from('one\n');
    assert.equal(objectId('blob', blob), git(plain, ['hash-object', '-w', '--stdin'], 'one\n'));
    assert.equal(objectId('blob', Buffer.alloc(0)), git(plain, ['hash-object', '-w', '--stdin']));
    const id = objectId('blob', blob);
    const inner = git(plain, ['mktree'], `100644 blob ${id}\tx\n`);
    // a folder "a" sorts as "a/": after "a.txt" and "a-b", before "a0"
    const lines = [
      `040000 tree ${inner}\ta`,
      `100644 blob ${id}\ta.txt`,
      `100644 blob ${id}\ta-b`,
      `100644 blob ${id}\ta0`,
      `100644 blob ${id}\té`,
    ];
    const entries = encodeTree([
      { kind: 'tree', name: 'a', id: inner },
      ...['é', 'a0', 'a-b', 'a.txt'].map((name) => ({ kind: 'blob' as const, name, id })),
    ]);
    const tree = git(plain, ['mktree'], `${lines.join('\n')}\n`);
    assert.equal(objectId('tree', entries), tree);
    const who = { GIT_AUTHOR_NAME: 'z', GIT_AUTHOR_EMAIL: 'z@h', GIT_AUTHOR_DATE: '1700000000 +0000' };
    const env = { ...who, GIT_COMMITTER_NAME: 'z', GIT_COMMITTER_EMAIL: 'z@h', GIT_COMMITTER_DATE: '1700000000 +0000' };
    const first = git(plain, ['commit-tree', tree, '-m', 'first'], '', env);
    const content = { tree, parents: [], author: 'z <z@h>', time: 1_700_000_000, message: 'first\n' };
    assert.equal(objectId('commit', encodeCommit(content)), first);
    const second = git(plain, ['commit-tree', tree, '-p', first, '-m', 'title\n\nbody é'], '', env);
    assert.equal(objectId('commit', encodeCommit({ ...content, parents: [first], message: 'title\n\nbody é\n' })), second);
  });

  it('is a bare git repository that git checks and clones', async () => {
    const store = await openStore(join(folder, 'store'));
    const repo = { type: 'model' as const, name: 'org/m' };
    await createRepo(store, repo);
    const files: StoredAddition[] = [
      { path: 'README.md', content: '# hi\n' },
      { path: 'a/b/c.json', content: '{}' },
      { path: 'a.txt', content: '' },
      { path: 'model.safetensors', content: Buffer.alloc(2000, 1) },
    ];
    const outcome = await commit(store, { repo, branch: 'main', message: 'Add', add: files });
    assert.ok(outcome.ok);
    await createRef(store, repo, { kind: 'heads', name: 'feat/y' }, outcome.commit);
    await createRef(store, repo, { kind: 'tags', name: 'v1' }, outcome.commit);
    const bare = repoFolder(store, repo);
    assert.equal(git(bare, ['fsck', '--strict', '--full']), '');
    assert.equal(git(bare, ['rev-parse', 'main', 'feat/y', 'v1']), Array(3).fill(outcome.commit).join('\n'));
    assert.equal(git(bare, ['show', 'main:a/b/c.json']), '{}');
    const lfs = await ingestBytes(store, Buffer.alloc(2000, 1));
    assert.equal(git(bare, ['show', 'main:model.safetensors']), pointerText(lfs).trim());
    git(folder, ['clone', '-q', bare, 'clone']);
    assert.equal(git(join(folder, 'clone'), ['rev-list', '--count', 'HEAD']), '2');
    assert.equal(await readRef(bare, 'heads', 'main'), outcome.commit);
  });

  it('reads back every tree and commit that it writes', () => {
    const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 });
    const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/[\0/]/.test(text));
    const entry = fc.record(
      { kind: fc.constantFrom('blob' as const, 'tree' as const), name, id: hex },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: (e) => e.name }), (entries) => {
        const key = (list: typeof entries): unknown => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
        assert.deepEqual(key(decodeTree(encodeTree(entries)) as typeof entries), key(entries));
      }),
    );
    fc.assert(
      fc.property(
        hex,
        fc.array(hex, { maxLength: 2 }),
        fc.nat(),
        fc.string({ unit: 'grapheme' }),
        (tree, parents, time, message) => {
          const content = { tree, parents, author: 'z <z@h>', time, message };
          assert.deepEqual(decodeCommit(encodeCommit(content)), content);
        },
      ),
    );
  });
});
