import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import { type HubServer, startHubServer } from '../../src/hub-server/server.ts';
import { commit } from '../../src/store/commit.ts';
import { createRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore, type Store } from '../../src/store/store.ts';

const token = 'hf_test';
const secret = 'secret';
const repo = { type: 'model' as const, name: 'org/m' };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('The Hub server', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-server-'));
  const store: Store = await openStore(join(folder, 'hub'));
  await createRepo(store, repo);
  const faults: unknown[] = [];
  const server: HubServer = await startHubServer({ store, token, secret, onFault: (error) => faults.push(error) });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(faults, []);
  });

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(server.url + path, {
      ...init,
      headers: { Authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    });
  const post = (path: string, body: unknown): Promise<Response> =>
    ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
  const put = async (path: string, content: string | Uint8Array, regular = true): Promise<string> => {
    const outcome = await commit(store, { repo, branch: 'main', message: 'Add', add: [{ path, content, regular }] });
    assert.ok(outcome.ok);
    return outcome.commit;
  };

  it('asks for the token on reads and writes, and for nothing that comes from a web page', async () => {
    assert.equal((await fetch(`${server.url}/api/models/org/m`)).status, 401);
    assert.equal((await fetch(`${server.url}/api/models/org/m`, { headers: { Authorization: 'Bearer hf_other' } })).status, 401);
    assert.equal((await ask('/api/models/org/m')).status, 200);
    const page = await ask('/api/models/org/m', { headers: { Origin: 'http://evil.test' } });
    assert.equal(page.status, 403);
    assert.equal(page.headers.get('Access-Control-Allow-Origin'), null);
    const status = await new Promise((resolve, reject) => {
      const { port } = new URL(server.url);
      const headers = { Host: `evil.test:${port}`, Authorization: `Bearer ${token}` };
      httpRequest({ port, host: '127.0.0.1', path: '/api/models/org/m', headers }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
    assert.equal(status, 403);
  });

  it('says which port is taken', async () => {
    const port = Number(new URL(server.url).port);
    const again = startHubServer({ store, token, secret, port });
    await assert.rejects(
      again,
      (error) =>
        error instanceof ZephyrError &&
        error.exit === 'preflight' &&
        error.message.includes(String(port)) &&
        error.hint !== undefined,
    );
  });

  it('names in a header what is missing', async () => {
    const at = await put('there.txt', 'x');
    const code = async (path: string): Promise<unknown> => {
      const response = await ask(path);
      return [response.status, response.headers.get('X-Error-Code')];
    };
    assert.deepEqual(await code('/api/models/org/none'), [404, 'RepoNotFound']);
    assert.deepEqual(await code('/org/none/resolve/main/a'), [404, 'RepoNotFound']);
    assert.deepEqual(await code('/api/models/org/m/revision/none'), [404, 'RevisionNotFound']);
    assert.deepEqual(await code('/org/m/resolve/main/none.txt'), [404, 'EntryNotFound']);
    assert.deepEqual(await code('/api/models/org/m/tree/main/none'), [404, 'EntryNotFound']);
    assert.equal((await ask('/org/m/resolve/main/none.txt')).headers.get('X-Repo-Commit'), at);
  });

  it('answers whole files, ranges and empty files, to HEAD as to GET', async () => {
    const at = await put('text.txt', '0123456789');
    await put('empty.txt', '');
    const whole = await ask('/org/m/resolve/main/text.txt', { method: 'HEAD' });
    assert.deepEqual(
      [whole.status, whole.headers.get('Content-Length'), whole.headers.get('Accept-Ranges')],
      [200, '10', 'bytes'],
    );
    assert.match(whole.headers.get('ETag') ?? '', /^"[0-9a-f]{40}"$/);
    const part = await ask(`/org/m/resolve/${at}/text.txt`, { headers: { Range: 'bytes=2-4' } });
    assert.deepEqual([part.status, part.headers.get('Content-Range'), await part.text()], [206, 'bytes 2-4/10', '234']);
    const end = await ask('/org/m/raw/main/text.txt', { headers: { Range: 'bytes=-3' } });
    assert.deepEqual([end.status, await end.text()], [206, '789']);
    assert.equal((await ask('/org/m/resolve/main/text.txt', { headers: { Range: 'bytes=10-' } })).status, 416);
    const empty = await ask('/org/m/resolve/main/empty.txt', { headers: { Range: 'bytes=0-0' } });
    assert.deepEqual([empty.status, empty.headers.get('Content-Range')], [200, 'bytes */0']);
  });

  it('names a large file by its sha256 and gives its pointer under raw', async () => {
    const bytes = Buffer.alloc(5000, 1);
    await put('w.safetensors', bytes, false);
    const large = await ask('/org/m/resolve/main/w.safetensors');
    assert.equal(large.headers.get('X-Linked-Etag'), `"${sha256(bytes)}"`);
    assert.equal(large.headers.get('X-Linked-Size'), '5000');
    assert.deepEqual(Buffer.from(await large.arrayBuffer()), bytes);
    assert.match(
      await (await ask('/org/m/raw/main/w.safetensors')).text(),
      new RegExp(`oid sha256:${sha256(bytes)}\nsize 5000\n$`),
    );
    const [entry] = (await (
      await post('/api/models/org/m/paths-info/main', { paths: ['w.safetensors', 'none'], expand: true })
    ).json()) as { lfs: { pointerSize: number }; lastCommit: { title: string } }[];
    const pointer = await (await ask('/org/m/raw/main/w.safetensors')).text();
    assert.equal(entry?.lfs.pointerSize, pointer.length);
    assert.equal(entry?.lastCommit.title, 'Add');
  });

  it('finds a branch with a slash, encoded or not', async () => {
    const at = await put('dir/in.txt', 'x');
    await createRef(store, repo, { kind: 'heads', name: 'feat/y' }, at);
    for (const revision of ['feat/y', 'feat%2Fy']) {
      assert.equal((await ask(`/org/m/resolve/${revision}/dir/in.txt`)).status, 200);
      assert.equal((await ask(`/api/models/org/m/tree/${revision}/dir`)).status, 200);
      assert.equal((await ask(`/api/models/org/m/commits/${revision}`)).status, 200);
    }
  });

  it('pages a tree by absolute addresses', async () => {
    await put('pages/a/1.txt', '1');
    await put('pages/b.txt', '2');
    const seen: string[] = [];
    let url: string | undefined = `${server.url}/api/models/org/m/tree/main/pages?recursive=true&limit=1`;
    while (url !== undefined) {
      const response: Response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
      seen.push(...((await response.json()) as { path: string }[]).map(({ path }) => path));
      url = /^<(http[^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1];
    }
    assert.deepEqual(seen, ['pages/a', 'pages/a/1.txt', 'pages/b.txt']);
  });

  it('keeps an uploaded file only when it is the promised one, and takes no altered address', async () => {
    const bytes = Buffer.from('the bytes of a large file');
    const batch = async (size = bytes.length): Promise<{ href: string } | undefined> => {
      const response = await post('/org/m.git/info/lfs/objects/batch', {
        operation: 'upload',
        transfers: ['basic'],
        hash_algo: 'sha_256',
        objects: [{ oid: sha256(bytes), size }],
      });
      const { objects } = (await response.json()) as { objects: { actions?: { upload: { href: string } } }[] };
      return objects[0]?.actions?.upload;
    };
    const send = async (href: string, body: Uint8Array): Promise<number> =>
      (await fetch(href, { method: 'PUT', body: new Uint8Array(body) })).status;
    const { href } = (await batch()) ?? { href: '' };
    assert.equal(await send(href, Buffer.from('not these bytes, as long!')), 400);
    assert.equal(await send(href.replace(/size=\d+/, 'size=9'), bytes), 403);
    assert.equal(await send(href.replace(/expires=\d+/, 'expires=1'), bytes), 403);
    assert.equal(await send(href, bytes), 200);
    assert.equal(await batch(), undefined);
    assert.deepEqual(await readdir(join(store.root, 'tmp')), []);
  });

  it('takes a file in parts that come in any order, and after a restart', async () => {
    const bytes = Buffer.alloc((64 << 20) + 1000, 'parts ');
    const oid = sha256(bytes);
    const asked = { operation: 'upload', transfers: ['basic', 'multipart'], objects: [{ oid, size: bytes.length }] };
    const { transfer, objects } = (await (await post('/org/m.git/info/lfs/objects/batch', asked)).json()) as {
      transfer: string;
      objects: { actions: { upload: { href: string; header: Record<string, string> } } }[];
    };
    assert.equal(transfer, 'multipart');
    const { href, header } = objects[0]?.actions.upload ?? { href: '', header: {} };
    assert.deepEqual(Object.keys(header).sort(), ['00001', '00002', 'chunk_size']);
    const other = await startHubServer({ store, token, secret });
    const moved = (address = ''): string => address.replace(server.url, other.url);
    assert.equal((await fetch(href, { method: 'POST', body: '{}' })).status, 400);
    const second = await fetch(moved(header['00002']), { method: 'PUT', body: bytes.subarray(64 << 20) });
    assert.ok(second.headers.get('ETag'));
    await fetch(moved(header['00001']), { method: 'PUT', body: bytes.subarray(0, 64 << 20) });
    assert.equal((await fetch(moved(href), { method: 'POST', body: '{}' })).status, 200);
    await other.close();
    assert.equal((await post('/org/m.git/info/lfs/verify', { oid, size: bytes.length })).status, 200);
  });

  it('decodes a content of many megabytes from a commit without holding it', async () => {
    const big = Buffer.alloc(9_000_001);
    for (let i = 0; i < big.length; i += 1) big[i] = (i * 31) % 251;
    const lines = [
      { key: 'header', value: { summary: 'With "quotes" and \\ and é', description: 'More\n' } },
      { key: 'file', value: { content: big.toString('base64'), path: 'big.txt', encoding: 'base64' } },
      { key: 'file', value: { path: 'quo"te.txt', encoding: 'base64', content: Buffer.from('small').toString('base64') } },
      { key: 'file', value: { path: 'empty2.txt', encoding: 'base64', content: '' } },
    ];
    const response = await post('/api/models/org/m/commit/main', lines.map((line) => JSON.stringify(line)).join('\n'));
    assert.equal(response.status, 200);
    const { commitOid, commitUrl } = (await response.json()) as { commitOid: string; commitUrl: string };
    assert.equal(commitUrl, `${server.url}/org/m/commit/${commitOid}`);
    assert.deepEqual(Buffer.from(await (await ask('/org/m/resolve/main/big.txt')).arrayBuffer()), big);
    assert.equal(await (await ask('/org/m/resolve/main/quo%22te.txt')).text(), 'small');
    const [last] = (await (await ask('/api/models/org/m/commits/main?limit=1')).json()) as { title: string; message: string }[];
    assert.deepEqual([last?.title, last?.message], ['With "quotes" and \\ and é', 'More']);
    assert.deepEqual(await readdir(join(store.root, 'tmp')), []);
  });

  it('refuses a commit on a stale parent, without an uploaded file, without a header, or with a path outside', async () => {
    const header = (parentCommit?: string): string => JSON.stringify({ key: 'header', value: { summary: 'x', parentCommit } });
    const file = (path: string): string => JSON.stringify({ key: 'file', value: { path, content: '', encoding: 'base64' } });
    const status = async (...lines: string[]): Promise<number> =>
      (await post('/api/models/org/m/commit/main', lines.join('\n'))).status;
    assert.equal(await status(header('0'.repeat(40)), file('stale.txt')), 412);
    assert.equal(
      await status(
        header(),
        JSON.stringify({ key: 'lfsFile', value: { path: 'w.bin', algo: 'sha256', oid: '0'.repeat(64), size: 1 } }),
      ),
      400,
    );
    assert.equal(await status(file('a.txt')), 400);
    assert.equal(await status(header(), file('../a.txt')), 422);
    assert.equal(await status(header(), JSON.stringify({ key: 'deletedFile', value: { path: 'nowhere.txt' } })), 404);
    assert.equal(await status(header(), '{"key": "file", "value": {"path": "cut'), 400);
    assert.equal((await post('/api/models/org/m/commit/none', header())).status, 404);
    assert.equal((await post('/api/models/org/m/commit/main?create_pr=1', header())).status, 501);
  });

  it('lets one of twenty commits with the same parent win', async () => {
    const parent = ((await (await ask('/api/models/org/m/revision/main')).json()) as { sha: string }).sha;
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const header = { key: 'header', value: { summary: `Try ${i}`, parentCommit: parent } };
        const file = {
          key: 'file',
          value: { path: 'race.txt', content: Buffer.from(String(i)).toString('base64'), encoding: 'base64' },
        };
        return (await post('/api/models/org/m/commit/main', `${JSON.stringify(header)}\n${JSON.stringify(file)}\n`)).status;
      }),
    );
    assert.equal(statuses.filter((status) => status === 200).length, 1);
    assert.equal(statuses.filter((status) => status === 412).length, 19);
  });

  it('creates private repos, and says where an existing one is', async () => {
    const first = await post('/api/repos/create', { name: 'mine' });
    assert.deepEqual(await first.json(), { url: `${server.url}/local/mine`, name: 'local/mine', id: 'local/mine' });
    assert.equal(((await (await ask('/api/models/local/mine')).json()) as { private: boolean }).private, true);
    const again = await post('/api/repos/create', { name: 'mine', organization: null });
    assert.deepEqual([again.status, ((await again.json()) as { url: string }).url], [409, `${server.url}/local/mine`]);
    assert.equal((await post('/api/repos/create', { name: 'org/x', type: 'space' })).status, 501);
    assert.equal((await post('/api/repos/create', { name: 'a/../b' })).status, 400);
  });

  it('says what it does not have', async () => {
    for (const path of ['/api/jobs/org', '/api/models/org/m/discussions', '/api/spaces/org/m', '/nothing'])
      assert.equal((await ask(path)).status, 501, path);
    assert.equal((await ask('/api/models/org/m/xet-write-token/main')).status, 404);
  });

  it('checks the front matter of a card', async () => {
    const errors = async (content: string): Promise<number> =>
      ((await (await post('/api/validate-yaml', { content, repoType: 'model' })).json()) as { errors: unknown[] }).errors.length;
    assert.equal(await errors('---\nlicense: mit\n---\n# x'), 0);
    assert.equal(await errors('# no front matter'), 0);
    assert.notEqual(await errors('---\na: [1\n---\n'), 0);
  });
});
