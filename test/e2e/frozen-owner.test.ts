import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRun } from '../../src/engine/read-run.ts';
import { StageRun } from '../../src/engine/stage-run.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { parseRef } from '../../src/model/artifact.ts';
import { missing, newPlace, start } from '../rig/zephyr.ts';
import { startHub } from './early-stop.ts';
import { clientOf, startProvider, writeFeedback } from './feedback.ts';

const IN_FLIGHT = 2;

test('an owner that was frozen while another machine took its run over sends nothing more once it is thawed', {
  skip: missing(),
}, async (t) => {
  const recipe = await writeFeedback({ teacher: { concurrency: IN_FLIGHT } });
  const provider = await startProvider();
  t.after(provider.stop);
  const place = await newPlace();
  const hub = await startHub(place);
  t.after(hub.stop);
  const held = provider.hold(async () => (await provider.paid()).length >= 10);
  const { child, ended, says } = await start(await clientOf(place, provider), ['aif', recipe, '--hub', hub.url]);
  t.after(() => child.kill('SIGKILL'));
  const [, id = ''] = await says(/started (hf:\S+@run-\w+)/);
  await held;
  child.kill('SIGSTOP');

  const beside = await openLocalHub(join(place.home, 'hub'));
  const ref = parseRef(id);
  assert.ok(ref);
  const found = await readRun(beside, ref, ref.revision);
  assert.ok(found);
  const elsewhere = { host: 'elsewhere/12345678', pid: 1, started: '1' };
  const other = new StageRun(beside, () => new Date(), found.state, found.head);
  await other.advance({ ...found.state, owner: elsewhere }, 'own aif');
  const before = (await provider.paid()).length;
  // longer than a busy machine keeps a process waiting
  await sleep(6000);
  provider.open();
  child.kill('SIGCONT');

  const { code, stderr } = await ended;
  assert.equal(code, 6, stderr);
  assert.match(stderr, /another zephyr has written to it/);
  const more = (await provider.paid()).length - before;
  assert.ok(more <= IN_FLIGHT * 5, `${more} calls were answered after the run was taken over`);
});
