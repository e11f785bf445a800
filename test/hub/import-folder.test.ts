import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import { importFolder } from '../../src/hub/import-folder.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';

describe('Importing a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-import-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const hub = await openLocalHub(join(folder, 'hub'));
  const repo = { type: 'model' as const, name: 'org/imported' };

  const filled = async (name: string, files: Record<string, string | Uint8Array>): Promise<string> => {
    const root = join(folder, name);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), content);
    }
    return root;
  };

  it('makes it the whole of main, by hard link and through links, without hidden files', async () => {
    const blob = await filled('blobs', { x: Buffer.alloc(1000, 1) });
    const root = await filled('model', {
      'config.json': '{}',
      'sub/data.parquet': 'PAR1\0\0\0\0PAR1',
      '.git/config': 'x',
      '.gitattributes': 'x',
      '.huggingface.yaml': 'configs: []',
    });
    await symlink(join(blob, 'x'), join(root, 'weights.npz'));
    const ref = await importFolder(hub, root, { repo, message: 'Import' });
    assert.deepEqual(
      (await hub.tree(ref)).map(({ path }) => path),
      ['.huggingface.yaml', 'config.json', 'sub/data.parquet', 'weights.npz'],
    );
    assert.equal((await stat(join(blob, 'x'))).nlink, 2);
    const next = await importFolder(hub, await filled('second', { 'config.json': '{"b":1}' }), { repo, message: 'Import' });
    assert.deepEqual(
      (await hub.tree(next)).map(({ path }) => path),
      ['config.json'],
    );
    assert.equal(await hub.resolve({ ...repo, revision: 'main' }), next.commit);
  });

  it('refuses a Git LFS pointer and what is no whole Parquet file, and publishes nothing', async () => {
    const other = { type: 'dataset' as const, name: 'org/pointers' };
    const pointer = await readFile('test/fixtures/cases/lfs-pointer.parquet');
    const FAULTS: readonly [name: string, content: string | Uint8Array, fault: RegExp][] = [
      ['data/train_prefs-00000-of-00001.parquet', pointer, /a Git LFS pointer, not the file: git lfs pull$/],
      ['train.jsonl', pointer, /a Git LFS pointer/],
      ['model.safetensors', pointer, /a Git LFS pointer/],
      ['train.parquet', '<!DOCTYPE html>', /it is no Parquet file$/],
      ['train.parquet', '', /it is empty/],
      ['train.parquet', `PAR1${'x'.repeat(40)}`, /its end is missing$/],
      ['train.parquet', 'PAR1', /its end is missing$/],
      ['train.parquet', 'PAR1\0\0\0\u0009PAR1', /its end is missing$/],
    ];
    for (const [index, [name, content, fault]] of FAULTS.entries()) {
      const root = await filled(`pointer-${index}`, { 'README.md': '# Beds', [name]: content });
      await assert.rejects(importFolder(hub, root, { repo: other, message: 'Import' }), (error) => {
        assert.ok(error instanceof ZephyrError && error.exit === 'usage' && error.message.includes(name));
        assert.match(error.message, fault);
        return true;
      });
    }
    assert.equal(await hub.refs(other), undefined);
  });

  it('refuses pickles, broken safetensors and folders without files, and publishes nothing', async () => {
    const other = { type: 'model' as const, name: 'org/refused' };
    for (const name of ['pytorch_model.bin', 'optimizer.pt', 'x.pkl', 'last.ckpt']) {
      const root = await filled(`refused-${name}`, { 'config.json': '{}', [name]: 'x' });
      await assert.rejects(
        importFolder(hub, root, { repo: other, message: 'Import' }),
        (error) => error instanceof ZephyrError && error.message.includes(name) && /safetensors/.test(error.hint ?? ''),
      );
    }
    await assert.rejects(
      importFolder(hub, await filled('cut', { 'model.safetensors': 'short' }), { repo: other, message: 'Import' }),
      /not a whole safetensors file/,
    );
    await assert.rejects(importFolder(hub, join(folder, 'nowhere'), { repo: other, message: 'Import' }), ZephyrError);
    await mkdir(join(folder, 'nothing'));
    await assert.rejects(importFolder(hub, join(folder, 'nothing'), { repo: other, message: 'Import' }), ZephyrError);
    assert.equal(await hub.refs(other), undefined);
  });

  it('follows links to folders, and names one that is broken or leads in a circle', async () => {
    const elsewhere = await filled('elsewhere', { 'data.txt': 'x' });
    const linked = await filled('linked', { 'a.txt': 'a' });
    await symlink(elsewhere, join(linked, 'data'));
    const ref = await importFolder(hub, linked, { repo: { type: 'dataset', name: 'org/linked' }, message: 'Import' });
    assert.deepEqual(
      (await hub.tree(ref)).map(({ path }) => path),
      ['a.txt', 'data/data.txt'],
    );
    const other = { type: 'dataset' as const, name: 'org/bad-links' };
    for (const [name, target, said] of [
      ['broken', '../nowhere', /"[^"]+\/x", the link leads to "\.\.\/nowhere", which is not there/],
      ['itself', 'x', /the link leads in a circle/],
      ['parent', '.', /"[^"]+\/x", the link leads back to a folder that it lies in/],
      ['above', '..', /leads back to a folder that it lies in/],
    ] as const) {
      const root = await filled(`${name}-link/top`, { 'a.txt': 'a' });
      await symlink(target, join(root, 'x'));
      const folder = name === 'above' ? join(root, '..') : root;
      await assert.rejects(importFolder(hub, folder, { repo: other, message: 'Import' }), (error) => {
        assert.ok(error instanceof ZephyrError && error.exit === 'preflight');
        assert.match(error.message, said);
        return true;
      });
    }
    assert.equal(await hub.refs(other), undefined);
  });
});
