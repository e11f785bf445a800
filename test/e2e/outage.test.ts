import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { startGate } from '../rig/gate.ts';
import { missing, newPlace, start, zephyr } from '../rig/zephyr.ts';
import { idOf, isJudge, paidTwice, startProvider, writeFeedback } from './feedback.ts';

const skip = missing();

/** A recipe in which one teacher is asked through a gate of its own. */
async function place(t: TestContext, id: string, awaySeconds: number, more: Readonly<Record<string, unknown>> = {}) {
  const provider = await startProvider();
  const own = await startGate(provider.url);
  t.after(async () => {
    await own.close().catch(() => undefined);
    await provider.stop();
  });
  const home = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
  const recipe = await writeFeedback({ only: { [id]: { baseUrl: own.url, awaySeconds, ...more } } });
  return { provider, own, home, recipe };
}

const runOf = (stderr: string) => /go on with: zephyr resume (\S+)/.exec(stderr)?.[1] ?? '';

describe('a teacher whose server goes away', { skip, concurrency: false }, () => {
  test('the judge, while it is asked ahead: the answers are finished and published, and the step judge ends with 75', async (t) => {
    const { provider, own, home, recipe } = await place(t, 'judge', 3);
    const some = own.hold((passed) => passed >= 6);
    const { ended } = await start(home, ['aif', recipe]);
    await some;
    await own.leave();
    own.open();
    const { code, stderr } = await ended;
    assert.equal(code, 75, stderr);
    assert.match(stderr, /aif\/generate {2}done in/);
    assert.match(stderr, /waiting for judge at http:\/\/127\.0\.0\.1:\d+\/v1: (connection refused|connection broken), [\d.]+ s/);
    assert.match(stderr, /error: Cannot reach teacher "practice-judge at the practice teacher"/);
    const answers = (await provider.paid()).filter((call) => !isJudge(call)).length;
    assert.equal(answers, 16 * 3, 'no answer waited for the judge');
    await own.comeBack();
    idOf(await zephyr(home, 'resume', runOf(stderr)));
    const paid = await provider.paid();
    assert.equal(paid.filter((call) => !isJudge(call)).length, answers);
    assert.deepEqual(paidTwice(paid), []);
  });

  test('the judge, before the first call: the answers are there, and nothing hangs', async (t) => {
    const { provider, own, home, recipe } = await place(t, 'judge', 2);
    await own.leave();
    const { code, stderr } = await zephyr(home, 'aif', recipe);
    assert.equal(code, 75, stderr);
    assert.match(stderr, /aif\/generate {2}done in/);
    assert.equal((await provider.paid()).length, 16 * 3);
  });

  test('one of the pool: the run ends with 75, what the others answered is kept, and it goes on when it is back', async (t) => {
    const { provider, own, home, recipe } = await place(t, 'evasive', 2);
    await own.leave();
    const { code, stderr } = await zephyr(home, 'aif', recipe);
    assert.equal(code, 75, stderr);
    assert.match(stderr, /Cannot reach teacher "practice-evasive at the practice teacher"/);
    await own.comeBack();
    idOf(await zephyr(home, 'resume', runOf(stderr)));
    assert.deepEqual(paidTwice(await provider.paid()), []);
  });

  test('for a while: it is waited for, which is said, and the run ends as if nothing had been', async (t) => {
    const { provider, own, home, recipe } = await place(t, 'judge', 120);
    const some = own.hold((passed) => passed >= 6);
    const { ended, says } = await start(home, ['aif', recipe]);
    await some;
    await own.leave();
    own.open();
    await says(/waiting for judge at http/);
    await own.comeBack();
    idOf(await ended);
    assert.deepEqual(paidTwice(await provider.paid()), []);
  });

  test('one that is asked by the batch ends its step in the same way', async (t) => {
    const { provider, own, home, recipe } = await place(t, 'judge', 2, { batch: { pollSeconds: 0.2, requests: 20 } });
    await own.leave();
    const { code, stderr } = await zephyr(home, 'aif', recipe);
    assert.equal(code, 75, stderr);
    assert.equal((await provider.paid()).length, 16 * 3);
    await own.comeBack();
    idOf(await zephyr(home, 'resume', runOf(stderr)));
    assert.deepEqual(paidTwice(await provider.paid()), []);
  });
});
