import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parse } from 'yaml';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { outputAt } from '../../src/hub/output.ts';
import { formatRef } from '../../src/model/artifact.ts';
import { publishEvaluation, publishModel } from '../rig/evaluations.ts';
import { missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';

const skip = { skip: missing() };
const MODEL = { type: 'model' as const, name: 'test/carded' };

let place: Place;
let hub: Hub;

before(async () => {
  place = await newPlace();
  hub = await openLocalHub(join(place.home, 'hub'));
});

async function main() {
  return { ...MODEL, commit: (await hub.resolve({ ...MODEL, revision: 'main' })) as string };
}

async function readmeNow(): Promise<string> {
  return Buffer.from((await hub.read(await main(), 'README.md')) ?? []).toString('utf8');
}

test('an evaluation comes onto the card once, and other weights on main are refused', skip, async () => {
  const model = await publishModel(hub, MODEL.name);
  const items = Array.from({ length: 1319 }, (_, index) => ({ id: `${index}`, cluster: `${index}`, score: index % 2 }));
  const protocol = { data: `hf://datasets/openai/gsm8k@${'a'.repeat(40)}` };
  const evaluation = await publishEvaluation(hub, model, [{ name: 'gsm8k', protocol, items }]);
  const first = await zephyr(place, 'card', formatRef(model.ref));
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /wrote \.eval_results\/zephyr-gsm8k\.yaml\nwrote README\.md\n/);
  assert.equal(first.stdout, `${formatRef(await main())}\n`);
  const head = parse((await readmeNow()).split('---\n')[1] as string);
  assert.equal(head['model-index'][0].results[0].metrics[0].value, 49.9621);
  assert.match(await readmeNow(), /\| gsm8k .*50\.0 % \| \[4\d\.\d %, 5\d\.\d %\] \| 1319 \|/);
  assert.equal((await outputAt(hub, await main())).holds, 'artifact');

  const again = await zephyr(place, 'card', formatRef(evaluation), '--json');
  assert.deepEqual(JSON.parse(again.stdout).changed, [], again.stderr);

  const { commit: parent } = await main();
  const manifest = JSON.parse(Buffer.from((await hub.read(await main(), 'zephyr.json')) ?? []).toString('utf8'));
  const content = JSON.stringify({ ...manifest, digest: 'e'.repeat(64) });
  await hub.commit({ repo: MODEL, branch: 'main', parent, message: 'other', add: [{ path: 'zephyr.json', content }] });
  const refused = await zephyr(place, 'card', formatRef(evaluation));
  assert.equal(refused.code, 6, refused.stderr);
  assert.match(refused.stderr, /the main branch of its repo holds other weights by now/);
});
