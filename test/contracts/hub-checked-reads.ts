import assert from 'node:assert/strict';
import { readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { add, hash, type OpenHub, repo, withHub } from './hub-rig.ts';

/** What a consumer of an artifact may rely on: no byte is used that was not hashed. */
export function checkedReadsContract(name: string, open: OpenHub): void {
  describe(`${name} checks what it hands out`, () => {
    it(
      'lays a commit out as huggingface_hub does and tells the hash of every file',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const large = Buffer.alloc(70_000, 3);
        const ref = await add(hub, [
          { path: 'sub/w.npz', content: large },
          { path: 'config.json', content: '{"a":1}' },
          { path: 'empty.txt', content: '' },
        ]);
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
      }),
    );

    it(
      'lays out and reads one folder of a commit alone where one is named',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const ref = await add(hub, [
          { path: 'a/w.npz', content: Buffer.alloc(70_000, 3) },
          { path: 'a/b/c.txt', content: 'c' },
          { path: 'ab/d.txt', content: 'd' },
          { path: 'e.txt', content: 'e' },
        ]);
        const laid = await hub.materialise(ref, join(folder, 'cache'), { under: 'a' });
        assert.deepEqual(
          laid.files.map(({ path }) => path),
          ['a/b/c.txt', 'a/w.npz'],
        );
        assert.equal(await readFile(join(laid.folder, 'a/b/c.txt'), 'utf8'), 'c');
        await assert.rejects(readFile(join(laid.folder, 'e.txt')));
      }),
    );

    it(
      'removes what does not belong to the commit from a snapshot that it lays again',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const ref = await add(hub, [{ path: 'config.json', content: '{"a":1}' }]);
        const laid = await hub.materialise(ref, join(folder, 'cache'));
        await writeFile(join(laid.folder, 'pytorch_model.bin'), 'x');
        await hub.materialise(ref, join(folder, 'cache'));
        await assert.rejects(readFile(join(laid.folder, 'pytorch_model.bin')));
        assert.equal(await readFile(join(laid.folder, 'config.json'), 'utf8'), '{"a":1}');
      }),
    );

    it(
      'verifies a commit against the hashes of its files',
      withHub(open, async (hub) => {
        await hub.createRepo(repo);
        const large = Buffer.alloc(70_000, 5);
        const ref = await add(hub, [
          { path: 'w.npz', content: large },
          { path: 'a.txt', content: 'a' },
        ]);
        const good = [
          { path: 'w.npz', size: large.length, sha256: hash(large) },
          { path: 'a.txt', size: 1, sha256: hash('a') },
        ];
        await hub.verify(ref, good);
        await assert.rejects(hub.verify(ref, [{ path: 'w.npz', size: large.length, sha256: hash('other') }]), /"w\.npz"/);
        await assert.rejects(hub.verify(ref, [{ path: 'gone.txt', size: 1, sha256: hash('a') }]), /"gone\.txt"/);
      }),
    );

    it(
      'names the file whose safetensors header does not fit its length',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [64], data_offsets: [0, 64] } }));
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(header.length));
        const ref = await add(hub, [{ path: 'model.safetensors', content: Buffer.concat([length, header, Buffer.alloc(60)]) }]);
        await assert.rejects(hub.materialise(ref, join(folder, 'cache')), /"model\.safetensors" is not a whole safetensors file/);
      }),
    );
  });
}
