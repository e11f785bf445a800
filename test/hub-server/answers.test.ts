import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { startHubServer } from '../../src/hub-server/server.ts';
import { commit } from '../../src/store/commit.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore } from '../../src/store/store.ts';

const token = 'hf_test';
const repo = { type: 'model' as const, name: 'org/m' };

describe('The Hub server does what it answers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-answers-'));
  const store = await openStore(join(folder, 'hub'));
  await createRepo(store, repo);
  const faults: unknown[] = [];
  const server = await startHubServer({ store, token, secret: 's', onFault: (error) => faults.push(error) });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(faults, []);
  });
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(server.url + path, { ...init, headers: { Authorization: `Bearer ${token}`, ...(init.headers as object) } });
  const send = (method: string, path: string, body: unknown): Promise<Response> =>
    ask(path, { method, body: JSON.stringify(body) });
  const errorOf = async (response: Response): Promise<[number, string]> => [
    response.status,
    ((await response.json()) as { error: string }).error,
  ];
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  it('creates a repo with the files and the license that were asked for, in its first commit', async () => {
    const files = [{ path: 'src/a.py', content: base64('print()'), encoding: 'base64' }];
    const created = await send('POST', '/api/repos/create', { name: 'made', organization: 'org', license: 'mit', files });
    assert.equal(created.status, 200);
    assert.equal(await (await ask('/org/made/resolve/main/src/a.py')).text(), 'print()');
    assert.equal(await (await ask('/org/made/resolve/main/README.md')).text(), '---\nlicense: mit\n---\n');
    const commits = (await (await ask('/api/models/org/made/commits/main')).json()) as unknown[];
    assert.equal(commits.length, 1);
    const own = [{ path: 'README.md', content: base64('# own') }];
    await send('POST', '/api/repos/create', { name: 'org/own', license: 'mit', files: own });
    assert.equal(await (await ask('/org/own/resolve/main/README.md')).text(), '# own');
    const outside = [{ path: '../a', content: '' }];
    assert.equal((await send('POST', '/api/repos/create', { name: 'org/none', files: outside })).status, 422);
    assert.equal((await ask('/api/models/org/none')).status, 404);
  });

  it('says by name what it cannot do, and does nothing of it', async () => {
    const create = (more: object): Promise<Response> => send('POST', '/api/repos/create', { name: 'org/refused', ...more });
    assert.deepEqual(await errorOf(await create({ resourceGroupId: 'x' })), [
      501,
      'This Hub has no "resourceGroupId" in the creation of a repo',
    ]);
    assert.equal((await create({ visibility: 'protected' })).status, 501);
    assert.equal((await ask('/api/models/org/refused')).status, 404);
    const [status, error] = await errorOf(
      await send('PUT', '/api/models/org/m/settings', { discussionsDisabled: true, private: false }),
    );
    assert.deepEqual([status, /discussionsDisabled/.test(error)], [501, true]);
    assert.equal(((await (await ask('/api/models/org/m')).json()) as { private: boolean }).private, true);
    for (const query of ['filter=text', 'pipeline_tag=text-generation', 'gated=true'])
      assert.equal((await ask(`/api/models?${query}`)).status, 501, query);
  });

  it('keeps what a repo was set to, and tells it', async () => {
    const settings = async (body: object): Promise<unknown> => {
      assert.equal((await send('PUT', '/api/models/org/m/settings', body)).status, 200);
      const { gated, private: hidden } = (await (await ask('/api/models/org/m')).json()) as { gated: unknown; private: unknown };
      return [gated, hidden];
    };
    assert.deepEqual(await settings({ gated: 'auto' }), ['auto', true]);
    assert.deepEqual(await settings({ private: false }), ['auto', false]);
    assert.deepEqual(await settings({ gated: false, visibility: 'private' }), [false, true]);
    assert.equal((await send('PUT', '/api/models/org/m/settings', { gated: 'perhaps' })).status, 400);
  });

  it('leaves out what the .gitignore of a commit or of the repo leaves out, and has its .gitattributes say what is large', async () => {
    const asked = async (more: object): Promise<unknown> => {
      const files = ['a.txt', 'out/b.txt', 'page.html'].map((path) => ({ path, size: 1, sample: base64('x') }));
      const response = await send('POST', '/api/models/org/m/preupload/main', { files, ...more });
      const found = ((await response.json()) as { files: { shouldIgnore: boolean; uploadMode: string }[] }).files;
      return found.map(({ shouldIgnore, uploadMode }) => `${shouldIgnore} ${uploadMode}`);
    };
    assert.deepEqual(await asked({}), ['false regular', 'false regular', 'false regular']);
    assert.deepEqual(await asked({ gitIgnore: 'a.*' }), ['true regular', 'false regular', 'false regular']);
    const add = [
      { path: '.gitignore', content: 'out/\n' },
      { path: '.gitattributes', content: '*.html filter=lfs diff=lfs merge=lfs -text\n' },
    ];
    assert.ok((await commit(store, { repo, branch: 'main', message: 'Add', add })).ok);
    assert.deepEqual(await asked({}), ['false regular', 'true regular', 'false lfs']);
    assert.deepEqual(await asked({ gitIgnore: '', gitAttributes: '' }), ['false regular', 'false regular', 'false regular']);
  });

  it('says of repos without a namespace that they are not there', async () => {
    const paths = [
      '/api/models/gpt2',
      '/api/datasets/squad/revision/main',
      '/gpt2/resolve/main/config.json',
      '/datasets/squad/raw/main/a',
    ];
    for (const path of [...paths, '/api/models/gpt2/tree/main']) {
      const response = await ask(path);
      assert.deepEqual([response.status, response.headers.get('X-Error-Code')], [404, 'RepoNotFound'], path);
    }
    const batch = await send('POST', '/gpt2.git/info/lfs/objects/batch', { operation: 'upload', objects: [] });
    assert.equal(batch.status, 404);
  });

  it('finds a commit by the digits that are printed of it', async () => {
    const add = [{ path: 'short.txt', content: 'x' }];
    const outcome = await commit(store, { repo, branch: 'main', message: 'Add', add });
    assert.ok(outcome.ok);
    const short = outcome.commit.slice(0, 7);
    assert.equal((await ask(`/org/m/resolve/${short}/short.txt`)).headers.get('X-Repo-Commit'), outcome.commit);
    assert.equal((await send('POST', `/api/models/org/m/tag/${short}`, { tag: 'v1' })).status, 201);
    assert.equal((await ask('/api/models/org/m/revision/0000000')).status, 404);
  });

  it('names each request, as the client does where it does', async () => {
    const id = async (headers: Record<string, string>, path = '/api/models/org/m'): Promise<string | null> =>
      (await ask(path, { headers })).headers.get('X-Request-Id');
    assert.equal(await id({ 'X-Amzn-Trace-Id': 'Root=1-2;me' }), 'Root=1-2;me');
    assert.equal(await id({ 'X-Request-Id': 'mine' }, '/api/models/org/none'), 'mine');
    const [one, other] = [await id({}), await id({ 'X-Request-Id': 'not "one"' })];
    assert.match(one ?? '', /^[0-9a-f-]{36}$/);
    assert.notEqual(one, other);
  });

  it('tells who shows no token that a repo is not there, and who shows a wrong one that it is wrong', async () => {
    const code = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await fetch(`${server.url}/api/models/org/m`, { headers });
      return [response.status, response.headers.get('X-Error-Code')];
    };
    assert.deepEqual(await code({}), [401, 'RepoNotFound']);
    assert.deepEqual(await code({ Authorization: 'Bearer hf_wrong' }), [401, null]);
  });

  it('creates a branch that shares nothing with the others, over another one where it may', async () => {
    const branch = (body: object): Promise<Response> => send('POST', '/api/models/org/m/branch/bare', body);
    assert.equal((await branch({})).status, 201);
    assert.deepEqual(await errorOf(await branch({ emptyBranch: true })), [409, 'Reference refs/heads/bare already exists']);
    assert.equal((await branch({ emptyBranch: true, overwrite: true })).status, 201);
    assert.deepEqual(await (await ask('/api/models/org/m/tree/bare')).json(), []);
    assert.equal(((await (await ask('/api/models/org/m/commits/bare')).json()) as unknown[]).length, 1);
  });

  it('finds a repo by the names that it had, and whatever its capitals, unless another has that name', async () => {
    const read = async (name: string): Promise<unknown> =>
      ((await (await ask(`/api/models/${name}`)).json()) as { id?: string }).id;
    const move = (fromRepo: string, toRepo: string): Promise<Response> =>
      send('POST', '/api/repos/move', { fromRepo, toRepo, type: 'model' });
    await createRepo(store, { type: 'model', name: 'org/First' });
    assert.equal((await move('org/First', 'org/Second')).status, 200);
    assert.equal((await move('org/Second', 'other/Third')).status, 200);
    assert.deepEqual(
      [await read('org/First'), await read('org/Second'), await read('OTHER/third')],
      Array(3).fill('other/Third'),
    );
    await createRepo(store, { type: 'model', name: 'org/First' });
    assert.equal(await read('org/First'), 'org/First');
    await createRepo(store, { type: 'model', name: 'org/Back' });
    const [status, error] = await errorOf(await move('org/First', 'org/Back'));
    assert.deepEqual([status, error], [409, 'A model repository called org/Back already exists']);
  });

  it('lists repos by time where it is asked to', async () => {
    await createRepo(store, { type: 'dataset', name: 'org/b' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await createRepo(store, { type: 'dataset', name: 'org/a' });
    const names = async (query: string): Promise<string[]> =>
      ((await (await ask(`/api/datasets?${query}`)).json()) as { id: string }[]).map(({ id }) => id);
    assert.deepEqual(await names('sort=createdAt&direction=-1'), ['org/a', 'org/b']);
    assert.deepEqual(await names('sort=createdAt&direction=1'), ['org/b', 'org/a']);
    assert.deepEqual(await names('sort=createdAt&limit=1'), ['org/a']);
  });

  it('checks the metadata of a card, and says when it has none', async () => {
    const checked = async (content: string): Promise<unknown> => {
      const { errors, warnings } = (await (await send('POST', '/api/validate-yaml', { content })).json()) as Record<
        string,
        unknown[]
      >;
      return [errors?.length, warnings?.length];
    };
    assert.deepEqual(await checked('---\nlicense: mit\n---\n# x'), [0, 0]);
    assert.deepEqual(await checked('# x'), [0, 1]);
    assert.deepEqual(await checked('---\n---\n# x'), [0, 1]);
    assert.deepEqual(await checked('\n---\nmodel-index: foo\n---\n'), [1, 0]);
    assert.deepEqual(await checked('---\n- a\n---\n'), [1, 0]);
  });
});
