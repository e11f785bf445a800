import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { beginRun } from '../../src/engine/open-run.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { targetSpec } from '../../src/recipe/target.ts';
import { thisProcess } from '../../src/runs/owner.ts';
import { hubToken, signingSecret } from '../../src/store/secrets.ts';
import { openStore } from '../../src/store/store.ts';
import { newRun } from '../rig/new-run.ts';
import { stages } from '../rig/stages.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';

const RUN = 'hf://models/test/out@run-01arz3ndektsv4rrffq69g5fav';

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const away: readonly (readonly [string, string, RequestListener])[] = [
  ['takes a request and never answers', '1', () => undefined],
  ['breaks every connection', '0', (request) => request.socket.destroy()],
];

for (const [how, seconds, listener] of away)
  test(`wait --timeout on a Hub that ${how} ends with its first request`, { skip: missing() }, async (t) => {
    const asked: string[] = [];
    const url = await serve(t, (request, response) => {
      asked.push(request.url ?? '');
      listener(request, response);
    });
    const ended = await zephyr(await newPlace(), 'wait', RUN, '--timeout', seconds, '--hub', url);
    assert.equal(ended.code, 7, ended.stderr);
    assert.match(ended.stderr, /^.*The Hub did not answer in time: how the run stands is not known$/m);
    assert.deepEqual(asked, ['/api/models/test/out/refs']);
  });

test('wait --timeout 0 looks once at a run of a Hub that answers', { skip: missing() }, async (t) => {
  const place = await newPlace();
  const folder = join(place.home, 'hub');
  const run = await beginRun(
    await openLocalHub(folder),
    () => new Date(),
    newRun('test/out', targetSpec(stages).parse({ backend: 'process' })),
  );
  await run.advance({ ...run.state, owner: thisProcess() }, 'run');
  const store = await openStore(folder);
  const token = await hubToken(store);
  const server = await startHubServer({ store, token, secret: await signingSecret(store) });
  t.after(() => server.close());
  const there = await newPlace({ HF_TOKEN: token });
  const ended = await zephyr(there, 'wait', run.state.run, '--timeout', '0', '--hub', server.url, '--json');
  const { exit, ids } = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as { exit: number; ids: string[] };
  assert.deepEqual([ended.code, exit, ids], [7, 7, [`hf://models/test/out@${run.state.run}`]], ended.stderr);
});
