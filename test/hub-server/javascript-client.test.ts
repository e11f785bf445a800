import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  commit,
  countCommits,
  createBranch,
  createRepo,
  deleteBranch,
  deleteFile,
  deleteRepo,
  downloadFile,
  downloadFileToCacheDir,
  fileDownloadInfo,
  fileExists,
  HubApiError,
  listCommits,
  listFiles,
  listModels,
  modelInfo,
  parseSafetensorsMetadata,
  pathsInfo,
  repoExists,
  uploadFile,
  uploadFiles,
  whoAmI,
} from '@huggingface/hub';
import { startHubServer } from '../../src/hub-server/server.ts';
import { ATTRIBUTES } from '../../src/store/large-file.ts';
import { openStore } from '../../src/store/store.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('The JavaScript client works against the Hub server, unmodified', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-js-'));
  const accessToken = 'hf_test';
  const faults: unknown[] = [];
  const server = await startHubServer({
    store: await openStore(join(folder, 'hub')),
    token: accessToken,
    secret: 's',
    onFault: (error) => faults.push(error),
  });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(faults, []);
  });
  const common = { hubUrl: server.url, accessToken, repo: { type: 'model' as const, name: 'org/js' } };

  it('creates, finds and deletes repos', async () => {
    assert.equal(await repoExists(common), false);
    const { repoUrl } = await createRepo(common);
    assert.equal(repoUrl, `${server.url}/org/js`);
    assert.equal(await repoExists(common), true);
    await assert.rejects(createRepo(common), (error) => error instanceof HubApiError && error.statusCode === 409);
    assert.equal((await whoAmI(common)).name, 'local');
    assert.deepEqual(
      (await all(listModels({ ...common, search: { owner: 'org' } }))).map(({ name, private: hidden }) => [name, hidden]),
      [['org/js', true]],
    );
    const other = { ...common, repo: { type: 'dataset' as const, name: 'org/gone' } };
    await createRepo(other);
    await deleteRepo(other);
    assert.equal(await repoExists(other), false);
  });

  it('creates a repo with first files and a license, and an empty branch', async () => {
    const made = { ...common, repo: { type: 'model' as const, name: 'org/made' } };
    await createRepo({ ...made, license: 'mit', files: [{ path: 'a.txt', content: new Blob(['first']) }] });
    assert.equal(await (await downloadFile({ ...made, path: 'a.txt' }))?.text(), 'first');
    assert.match((await (await downloadFile({ ...made, path: 'README.md' }))?.text()) ?? '', /license: mit/);
    await createBranch({ ...made, branch: 'bare', empty: true });
    assert.deepEqual(await all(listFiles({ ...made, revision: 'bare' })), []);
    await deleteRepo(made);
  });

  it('uploads small and large files, falling back from Xet, and reads them back', async () => {
    const large = new Uint8Array(12_000_000).map((_, i) => (i * 7) % 253);
    const files = [
      { path: 'config.json', content: new Blob(['{"a":1}']) },
      { path: 'empty.txt', content: new Blob([]) },
      { path: 'w/large.npz', content: new Blob([large]) },
    ];
    const done = await uploadFiles({ ...common, files, commitTitle: 'Upload' });
    const again = await uploadFiles({ ...common, files, commitTitle: 'Upload' });
    assert.equal(again?.commit.oid, done?.commit.oid);
    assert.deepEqual(
      (await all(listFiles({ ...common, recursive: true }))).map(({ type, path, size }) => [type, path, size]),
      [
        ['file', '.gitattributes', Buffer.byteLength(ATTRIBUTES)],
        ['file', 'config.json', 7],
        ['file', 'empty.txt', 0],
        ['directory', 'w', 0],
        ['file', 'w/large.npz', large.length],
      ],
    );
    for (const { path, content } of files) {
      const got = await downloadFile({ ...common, path });
      assert.deepEqual(
        Buffer.from((await got?.arrayBuffer()) ?? new ArrayBuffer(0)),
        Buffer.from(await content.arrayBuffer()),
        path,
      );
    }
    assert.match((await (await downloadFile({ ...common, path: 'w/large.npz', raw: true }))?.text()) ?? '', /^version /);
    assert.equal(await downloadFile({ ...common, path: 'none' }), null);
    assert.equal((await fileDownloadInfo({ ...common, path: 'empty.txt' }))?.size, 0);
    assert.equal(await fileExists({ ...common, path: 'config.json' }), true);
    assert.equal(await fileExists({ ...common, path: 'none' }), false);
    const [info] = await pathsInfo({ ...common, paths: ['w/large.npz'], expand: true });
    assert.equal(info?.lastCommit.id, done?.commit.oid);
    const cached = await downloadFileToCacheDir({ ...common, path: 'w/large.npz', cacheDir: join(folder, 'cache') });
    assert.equal((await readFile(cached)).length, large.length);
  });

  it('reads a model and its history', async () => {
    assert.equal((await modelInfo({ ...common, name: 'org/js' })).name, 'org/js');
    const log = await all(listCommits({ ...common, batchSize: 1 }));
    assert.equal(log.length, await countCommits({ ...common, revision: 'main' }));
    assert.deepEqual(
      log.map(({ title }) => title),
      ['Upload', 'initial commit'],
    );
  });

  it('commits to branches, also with a slash, and is told of a stale parent', async () => {
    await createBranch({ ...common, branch: 'feat/y' });
    await uploadFile({ ...common, branch: 'feat/y', file: { path: 'y.txt', content: new Blob(['y']) } });
    assert.ok((await all(listFiles({ ...common, revision: 'feat/y' }))).some(({ path }) => path === 'y.txt'));
    const [head] = await all(listCommits({ ...common, revision: 'feat/y' }));
    await deleteFile({ ...common, branch: 'feat/y', path: 'y.txt' });
    const stale = commit({
      ...common,
      branch: 'feat/y',
      title: 'Late',
      parentCommit: head?.oid ?? '',
      operations: [{ operation: 'addOrUpdate', path: 'z.txt', content: new Blob(['z']) }],
    });
    await assert.rejects(stale, (error) => error instanceof HubApiError && error.statusCode === 412);
    await deleteBranch({ ...common, branch: 'feat/y' });
  });

  it('reads the header of a safetensors file by ranges', async () => {
    const header = Buffer.from(JSON.stringify({ w: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await uploadFile({ ...common, file: { path: 'model.safetensors', content: new Blob([length, header, Buffer.alloc(16)]) } });
    const parsed = await parseSafetensorsMetadata({ ...common, path: 'model.safetensors', repo: common.repo });
    assert.equal(parsed.sharded, false);
  });
});
