import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { missing, newPlace, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { startHub } from './early-stop.ts';
import {
  clientOf,
  idOf,
  isJudge,
  keysOf,
  type Made,
  made,
  type Paid,
  paidTwice,
  startProvider,
  stoppedWhen,
  undisturbed,
  writeFeedback,
} from './feedback.ts';

const skip = missing();

describe('feedback that one machine began over HTTP', { skip, concurrency: false }, () => {
  let recipe: string;
  let whole: Made;
  /** the keys of all calls that it takes */
  let keys: readonly string[];
  let answers: number;

  before(async () => {
    recipe = await writeFeedback({ teacher: { concurrency: 2 } });
    const run = await undisturbed(recipe);
    whole = run.made;
    keys = keysOf(run.paid);
    answers = run.paid.filter((call) => !isJudge(call)).length;
  });

  async function rig(t: { after: (end: () => Promise<void>) => void }) {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace();
    const hub = await startHub(place);
    t.after(hub.stop);
    return { provider, place, hub };
  }

  /** Generation and judging overlap: in the middle of one, calls of the other are under way. */
  const middles: readonly { readonly of: string; readonly when: (calls: readonly Paid[]) => boolean }[] = [
    { of: 'answers are bought', when: (calls) => calls.filter((call) => !isJudge(call)).length > answers / 3 },
    { of: 'they are judged', when: (calls) => calls.filter(isJudge).length > (keys.length - answers) / 2 },
  ];

  for (const { of, when } of middles) {
    test(`and that Ctrl-C stopped while ${of}, is ended by another: nothing is bought twice, the bytes are equal`, async (t) => {
      const { provider, place, hub } = await rig(t);
      const first = await clientOf(place, provider);
      const stopped = await stoppedWhen(first, ['aif', recipe, '--hub', hub.url], provider, when, 'SIGINT');
      assert.equal(stopped.code, 130, stopped.stderr);
      const [, id = ''] = /zephyr resume (hf:\S+)/.exec(stopped.stderr) ?? [];
      assert.ok((await provider.paid()).length < keys.length, 'stopped in the middle');

      const second = await clientOf(place, provider);
      const ended = await zephyr(second, 'resume', id, '--hub', hub.url);
      assert.equal((await made(place, idOf(ended))).digest, whole.digest);
      const calls = await provider.paid();
      assert.deepEqual(paidTwice(calls), []);
      assert.deepEqual(keysOf(calls), keys);
    });

    test(`and that was killed while ${of}, goes on where it was: nothing is bought twice, the bytes are equal`, async (t) => {
      const { provider, place, hub } = await rig(t);
      const machine = await clientOf(place, provider);
      const args = ['aif', recipe, '--hub', hub.url];
      await stoppedWhen(machine, args, provider, when, 'SIGKILL');
      assert.ok((await provider.paid()).length < keys.length, 'killed in the middle');

      const ended = await zephyr(machine, ...args);
      assert.match(ended.stderr, /aif {2}resumed/);
      assert.equal((await made(place, idOf(ended))).digest, whole.digest);
      const calls = await provider.paid();
      assert.deepEqual(paidTwice(calls), []);
      assert.deepEqual(keysOf(calls), keys);
    });
  }

  test('and that was cancelled, goes on elsewhere: nothing is bought twice, the bytes are equal', async (t) => {
    const { provider, place, hub } = await rig(t);
    const first = await clientOf(place, provider);
    const half = provider.hold(async () => (await provider.paid()).length >= keys.length / 2);
    const { ended } = await start(first, ['aif', recipe, '--hub', hub.url]);
    await half;
    const second = await clientOf(place, provider);
    const runs = await runsAt(second, '--hub', hub.url);
    const [id = ''] = runs.map((run) => run.id);
    assert.equal((await zephyr(second, 'cancel', id, '--hub', hub.url)).code, 0);
    provider.open();
    const cancelled = await ended;
    assert.equal(cancelled.code, 4, cancelled.stderr);
    assert.ok((await provider.paid()).length < keys.length, 'cancelled in the middle');

    const last = await zephyr(second, 'resume', id, '--hub', hub.url);
    assert.equal((await made(place, idOf(last))).digest, whole.digest);
    const calls = await provider.paid();
    assert.deepEqual(paidTwice(calls), []);
    assert.deepEqual(keysOf(calls), keys);
  });

  test('and that one beside the Hub goes on with, then again one over HTTP: nothing is bought twice, the bytes are equal', async (t) => {
    const { provider, place, hub } = await rig(t);
    const far = await clientOf(place, provider);
    const near = { ...place, env: { ZEPHYR_PRACTICE_URL: provider.url } };
    const third = (part: number) => (calls: readonly Paid[]) => calls.length > (part * keys.length) / 3;
    const begun = await stoppedWhen(far, ['aif', recipe, '--hub', hub.url], provider, third(1), 'SIGINT');
    const [, id = ''] = /zephyr resume (hf:\S+)/.exec(begun.stderr) ?? [];
    const between = await stoppedWhen(near, ['resume', id], provider, third(2), 'SIGINT');
    assert.equal(between.code, 130, between.stderr);
    const ended = await zephyr(await clientOf(place, provider), 'resume', id, '--hub', hub.url);
    assert.equal((await made(place, idOf(ended))).digest, whole.digest);
    const calls = await provider.paid();
    assert.deepEqual(paidTwice(calls), []);
    assert.deepEqual(keysOf(calls), keys);
  });
});
