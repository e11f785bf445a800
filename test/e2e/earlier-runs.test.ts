import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Row } from '../../src/datasets/parquet.ts';
import { type Ended, missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';
import { startHub } from './early-stop.ts';
import {
  clientOf,
  type Feedback,
  idOf,
  isJudge,
  keysOf,
  type Made,
  made,
  type Paid,
  paidTwice,
  startProvider,
  undisturbed,
  writeFeedback,
} from './feedback.ts';

const skip = missing();
const FIRST: Feedback = { prompts: 12, aspects: ['honesty'] };
const MORE: Feedback = { ...FIRST, prompts: 16 };
const ASPECT: Feedback = { ...FIRST, aspects: ['honesty', 'helpfulness'] };
const RULE: Feedback = { ...FIRST, binarize: { rejected: 'lowest', minMargin: 1 } };

/** Where a recipe is run, then a changed one: beside the Hub, or over HTTP on a machine that has nothing else. */
const WAYS = [
  { first: 'beside the Hub', second: 'beside the Hub' },
  { first: 'beside the Hub', second: 'on another machine' },
  { first: 'on another machine', second: 'on a third machine' },
] as const;

for (const { first, second } of WAYS)
  describe(`what a run ${first} has paid is not paid again by a changed recipe ${second}`, { skip, concurrency: false }, () => {
    let recipe: string;
    before(async () => {
      recipe = await writeFeedback(FIRST);
    });

    /** Runs the recipe and then the changed one, which the same provider answers. */
    async function changed(t: { after: (end: () => Promise<void>) => void }, change: Feedback): Promise<Changed> {
      const provider = await startProvider();
      t.after(provider.stop);
      const place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
      const hub = await startHub(place);
      t.after(hub.stop);
      const aif = async (where: string, file: string) =>
        where === 'beside the Hub'
          ? zephyr(place, 'aif', file)
          : zephyr(await clientOf(place, provider), 'aif', file, '--hub', hub.url);
      const before = await made(place, idOf(await aif(first, recipe)));
      const paid = await provider.paid();
      const ended = await aif(second, await writeFeedback(change));
      return { place, before, after: await made(place, idOf(ended)), ended, all: await provider.paid(), paid: paid.length };
    }

    test('with more prompts: only those are asked about, and the rows of the others stay as they are', async (t) => {
      const { before, after, all } = await changed(t, MORE);
      const whole = await undisturbed(await writeFeedback(MORE));
      assert.deepEqual(paidTwice(all), []);
      assert.deepEqual(keysOf(all), keysOf(whole.paid));
      assert.equal(after.digest, whole.made.digest);
      for (const what of ['completions', 'ratings', 'pairs'] as const) {
        const old = new Set(before.completions.map(({ prompt_id }) => prompt_id));
        const kept = after[what].filter(({ prompt_id }) => old.has(prompt_id));
        assert.ok(after[what].length > kept.length && kept.length > 0, `there are more ${what}`);
        assert.deepEqual(sorted(kept), sorted(before[what]));
      }
    });

    test('with another aspect: the answers are used again, and only that aspect is asked for', async (t) => {
      const { before, after, ended, all, paid } = await changed(t, ASPECT);
      assert.match(ended.stderr, /aif\/generate {2}reused/);
      assert.deepEqual(paidTwice(all), []);
      assert.ok(all.length > paid && all.slice(paid).every(isJudge), 'only the judge is asked');
      assert.deepEqual(
        after.ratings.filter(({ aspect }) => aspect === 'honesty'),
        before.ratings,
      );
    });

    test('with another rule of binarization: nobody is asked, and nothing else is made again', async (t) => {
      const { before, after, ended, all, paid } = await changed(t, RULE);
      assert.equal(all.length, paid);
      assert.deepEqual(ended.stderr.match(/aif\/\S+(?= {2}started)/g), ['aif/binarize']);
      assert.notEqual(after.digest, before.digest);
    });
  });

interface Changed {
  readonly place: Place;
  readonly before: Made;
  readonly after: Made;
  readonly ended: Ended;
  readonly all: readonly Paid[];
  /** how many of them the first run made */
  readonly paid: number;
}

function sorted(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
