import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { onTerminal } from '../rig/terminal.ts';
import { missing, newPlace, type Place, runsAt, zephyr } from '../rig/zephyr.ts';
import { startHub } from './early-stop.ts';
import { moved, writeBound } from './elsewhere.ts';
import { clientOf, type Provider, startProvider, writeFeedback } from './feedback.ts';

const skip = missing();

describe('a run over HTTP that is stopped and goes on under another home', { skip, concurrency: false }, () => {
  let recipe: string;
  let provider: Provider;
  let place: Place;
  let url: string;
  let stopHub: () => Promise<void>;

  before(async () => {
    recipe = await writeFeedback({ teacher: { concurrency: 4 } });
    provider = await startProvider();
    place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
    const hub = await startHub(place);
    [url, stopHub] = [hub.url, hub.stop];
  });
  after(async () => {
    await stopHub?.();
    await provider?.stop();
  });

  const aif = (name: string) => ['aif', recipe, '--set', `name=${name}`];

  test('asks no more calls again than its target allows when it was killed, and says how many that may be', async () => {
    const bound = 12;
    const target = await writeBound(bound);
    for (const [name, at] of [
      ['early', 20],
      ['late', 90],
    ] as const) {
      const { ended, again, before: answered } = await moved(place, url, provider, [...aif(name), '--on', target], at, 'SIGKILL');
      assert.equal(ended.code, 0, ended.stderr);
      assert.ok(answered >= at && again <= bound, `${again} of ${answered} calls asked again`);
      assert.match(ended.stderr, /up to 12 of them, \$5 at most, are asked and perhaps paid again/);
    }
  });

  test('asks nothing again, and says nothing, when its terminal was closed or it was told to end', async () => {
    for (const signal of ['SIGHUP', 'SIGTERM'] as const) {
      const { stopped, ended, again } = await moved(place, url, provider, aif(signal.toLowerCase()), 40, signal);
      assert.equal(stopped.code, 130, stopped.stderr);
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(again, 0);
      assert.doesNotMatch(ended.stderr, /paid again/);
    }
  });

  test('is given up in good order when the window of its terminal is gone', async () => {
    const client = await clientOf(place, provider);
    const already = (await provider.paid()).length;
    const half = provider.hold(async () => (await provider.paid()).length >= already + 40);
    const terminal = await onTerminal(client, 100, [...aif('window'), '--hub', url]);
    await half;
    terminal.hangUp();
    provider.open();
    for (;;) {
      const run = (await runsAt(place)).find(({ id }) => id.includes('window-aif'));
      if (run?.phase !== 'detached') continue;
      const before = (await provider.paid()).map(({ key }) => key).slice(already);
      assert.equal((await zephyr(await clientOf(place, provider), 'resume', run.id, '--hub', url)).code, 0);
      const all = (await provider.paid()).map(({ key }) => key).slice(already);
      assert.equal(new Set(all).size, all.length, `${before.length} answers were kept`);
      return;
    }
  });
});
