import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { missing, newPlace, type Place } from '../rig/zephyr.ts';
import { type Contender, contest, faultsOf } from './contenders.ts';
import { startHub, stopStage } from './early-stop.ts';
import { clientOf, type Provider, startProvider, stoppedWhen, writeFeedback } from './feedback.ts';
import { type Tiny, writeTiny } from './tiny.ts';

const skip = missing();

describe('several zephyrs that are started at once on one recipe have one owner, and pay once', {
  skip,
  concurrency: false,
}, () => {
  let recipe: string;
  let tiny: Tiny;
  let provider: Provider;
  let near: Place;
  let far: readonly [Place, Place];
  let url: string;
  let stopHub: () => Promise<void>;

  before(async () => {
    recipe = await writeFeedback({ prompts: 4, aspects: ['honesty'], binarize: { testPrompts: 1 } });
    tiny = await writeTiny();
    provider = await startProvider();
    near = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
    await stopStage(near);
    const hub = await startHub(near);
    [url, stopHub] = [hub.url, hub.stop];
    far = [await clientOf(near, provider), await clientOf(near, provider)];
  });
  after(async () => {
    await stopHub?.();
    await provider?.stop();
  });

  const aifRepo = (name: string) => ({ type: 'dataset' as const, name: `test/${name}-aif` });
  const dsftRepo = (name: string) => ({ type: 'model' as const, name: `test/${name}-dsft` });
  const aif = (name: string) => ['aif', recipe, '--set', `name=${name}`];

  test('beside the Hub, two and three', async () => {
    for (const [name, gaps] of [
      ['two', [0, 0]],
      ['three', [0, 0, 20]],
    ] as const) {
      const contenders = gaps.map((afterMs): Contender => ({ place: near, args: aif(name), afterMs }));
      assert.deepEqual(faultsOf(await contest(provider, near, contenders, aifRepo(name)), 0), []);
    }
  });

  test('over HTTP, from two machines', async () => {
    const contenders = far.map((place): Contender => ({ place, args: [...aif('apart'), '--hub', url], afterMs: 0 }));
    assert.deepEqual(faultsOf(await contest(provider, near, contenders, aifRepo('apart')), 0), []);
  });

  test('one of them beside the Hub and one over HTTP', async () => {
    const contenders: Contender[] = [
      { place: far[0], args: [...aif('mixed'), '--hub', url], afterMs: 0 },
      { place: near, args: aif('mixed'), afterMs: 0 },
    ];
    assert.deepEqual(faultsOf(await contest(provider, near, contenders, aifRepo('mixed')), 0), []);
  });

  test('a stage that has to make its data, by `dsft` and by `run`, and afresh', async () => {
    const args = [tiny.recipe, '--on', tiny.on('process'), '--set', 'base=hf://models/test/hollow'];
    for (const [name, verbs] of [
      ['pair', [['dsft'], ['dsft']]],
      ['chain', [['run'], ['dsft']]],
      [
        'fresh',
        [
          ['dsft', '--new-run'],
          ['dsft', '--new-run'],
        ],
      ],
    ] as const) {
      const contenders = verbs.map(
        ([verb, ...more]): Contender => ({ place: near, args: [verb, ...args, '--set', `name=${name}`, ...more], afterMs: 0 }),
      );
      // the base of this recipe has no tokenizer: whoever owns the run ends there, with the dialogues made
      assert.deepEqual(faultsOf(await contest(provider, near, contenders, dsftRepo(name)), 2), []);
    }
  });

  for (const [what, second] of [
    ['a start', undefined],
    ['another', 'resume'],
  ] as const)
    test(`a resume and ${what}, after a crash`, async () => {
      const name = second ?? 'start';
      const half = (calls: readonly unknown[]) => calls.length - paidBefore > 6;
      const paidBefore = (await provider.paid()).length;
      const crashed = await stoppedWhen(near, aif(name), provider, half, 'SIGKILL');
      const [, id = ''] = /started (hf:\S+@run-\w+)/.exec(crashed.stderr) ?? [];
      const contenders: Contender[] = [
        { place: near, args: ['resume', id], afterMs: 0 },
        { place: near, args: second === undefined ? aif(name) : ['resume', id], afterMs: 0 },
      ];
      assert.deepEqual(faultsOf(await contest(provider, near, contenders, aifRepo(name)), 0), []);
    });
});
