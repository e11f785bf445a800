import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { startHubServer } from '../../src/hub-server/server.ts';
import { commit } from '../../src/store/commit.ts';
import { createRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore, repoFolder } from '../../src/store/store.ts';

const token = 'hf_test';
const repo = { type: 'model' as const, name: 'org/m' };

describe('The Hub server, asked page by page', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-pages-'));
  const store = await openStore(join(folder, 'hub'));
  await createRepo(store, repo);
  const ids: string[] = [];
  for (let i = 0; i < 130; i += 1) {
    const outcome = await commit(store, { repo, branch: 'main', message: `Commit ${i}`, add: [{ path: 'a', content: `${i}` }] });
    assert.ok(outcome.ok);
    ids.unshift(outcome.commit);
  }
  const faults: unknown[] = [];
  const served = async () =>
    startHubServer({ store: await openStore(store.root), token, secret: 's', onFault: (e) => faults.push(e) });
  let server = await served();
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(faults, []);
  });
  const ask = (url: string): Promise<Response> => fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  const nextOf = (response: Response): string | undefined =>
    /^<(http[^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1];

  it('lists commits in pages that follow one another, also while the branch moves on', async () => {
    const seen: string[] = [];
    let next: string | undefined = `${server.url}/api/models/org/m/commits/main?limit=40`;
    for (let page = 0; next !== undefined; page += 1) {
      const response = await ask(next);
      assert.equal(response.headers.get('X-Total-Count'), page === 0 ? '131' : '132');
      seen.push(...((await response.json()) as { id: string }[]).map(({ id }) => id));
      next = nextOf(response);
      if (page > 0) continue;
      const outcome = await commit(store, { repo, branch: 'main', message: 'Later', add: [{ path: 'b', content: '' }] });
      assert.ok(outcome.ok);
    }
    assert.deepEqual(seen.slice(0, 130), ids);
    assert.equal(seen.length, 131, 'and the first one, that is empty');
  });

  it('reads for a page of commits what the page shows, and neither what is newer nor what is older', async () => {
    const first = await ask(`${server.url}/api/models/org/m/commits/main?limit=10`);
    const next = nextOf(first);
    assert.ok(next !== undefined);
    const total = first.headers.get('X-Total-Count');
    const { port } = new URL(server.url);
    await server.close();
    server = await startHubServer({ store: await openStore(store.root), token, secret: 's', port: Number(port) });
    const shown = new Set(((await (await ask(next)).json()) as { id: string }[]).map(({ id }) => id));
    assert.equal(shown.size, 10);
    for (const id of ids.slice(1).filter((each) => !shown.has(each)))
      await rm(join(repoFolder(store, repo), 'objects', id.slice(0, 2), id.slice(2)));
    await server.close();
    server = await startHubServer({ store: await openStore(store.root), token, secret: 's', port: Number(port) });
    const again = await ask(next);
    assert.deepEqual(new Set(((await again.json()) as { id: string }[]).map(({ id }) => id)), shown);
    assert.equal(again.headers.get('X-Total-Count'), total, 'counted before, and remembered');
  });

  it('lists all repos of a type in pages', async () => {
    for (let i = 0; i < 7; i += 1) await createRepo(store, { type: 'dataset', name: `org/d${i}` });
    const seen: string[] = [];
    let next: string | undefined = `${server.url}/api/datasets?limit=3&author=org`;
    let pages = 0;
    for (; next !== undefined; pages += 1) {
      const response: Response = await ask(next);
      seen.push(...((await response.json()) as { id: string }[]).map(({ id }) => id));
      next = nextOf(response);
    }
    assert.deepEqual([seen, pages], [[0, 1, 2, 3, 4, 5, 6].map((i) => `org/d${i}`), 3]);
  });

  it('finds a branch among very many without reading the others', async () => {
    const [head = ''] = ids;
    assert.equal(await createRef(store, repo, { kind: 'heads', name: 'feat/y' }, head), 'created');
    await rm(join(repoFolder(store, repo), 'refs', 'heads', 'main'));
    assert.equal((await ask(`${server.url}/org/m/resolve/feat/y/a`)).status, 200);
    assert.equal((await ask(`${server.url}/org/m/resolve/${head.slice(0, 7)}/a`)).status, 200);
  });
});
