import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { filesWith } from '../rig/search.ts';
import { missing, newPlace, type Place, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { startHub } from './early-stop.ts';
import { clientOf, isJudge, type Paid, startProvider, stoppedWhen, writeFeedback } from './feedback.ts';

interface Line {
  readonly level: string;
  readonly time: string;
  readonly type: string;
  readonly host?: string;
  readonly pid?: number;
  readonly message?: string;
}

describe('the log of a run', { skip: missing(), concurrency: false }, () => {
  let recipe: string;
  before(async () => {
    recipe = await writeFeedback({ teacher: { concurrency: 2 } });
  });

  /** The lines of `logs --events --json`, without the verdict. */
  async function linesOf(place: Place, id: string, hub: string): Promise<Line[]> {
    const ended = await zephyr(place, 'logs', id, '--events', '--json', '--hub', hub);
    assert.equal(ended.code, 0, ended.stderr);
    const lines = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(lines.pop(), { v: 1, type: 'verdict', kind: 'done', exit: 0, ids: [] });
    return lines;
  }

  test('outlives a kill and a move to another machine, is shown wherever the Hub is reached, and holds no secret', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace();
    const hub = await startHub(place);
    t.after(hub.stop);
    const machine = () => clientOf(place, provider);
    const [first, second, third] = [await machine(), await machine(), await machine()];
    const half = (calls: readonly Paid[]) => calls.filter(isJudge).length > 4;
    await stoppedWhen(first, ['aif', recipe, '--hub', hub.url, '--yes'], provider, half, 'SIGKILL');
    const [run] = await runsAt(third, '--hub', hub.url);
    const id = run?.id ?? '';

    const going = await start(second, ['resume', id, '--hub', hub.url, '--take-over']);
    await going.says(/aif {2}resumed/);
    const followed = await zephyr(third, 'logs', id, '--events', '--follow', '--hub', hub.url);
    const resumed = await going.ended;
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ aif {2}started hf:/m, 'what came before is shown first');

    assert.equal(followed.code, 0, followed.stderr);
    assert.match(followed.stdout, /Z aif {2}started hf:.*Z aif {2}resumed hf:.*Z aif {2}done in /s);

    const lines = await linesOf(third, id, hub.url);
    const sessions = lines.filter(({ type }) => type === 'session-started');
    assert.equal(sessions.length, 2);
    assert.notEqual(sessions[0]?.pid, sessions[1]?.pid);
    assert.deepEqual(lines.at(-1)?.type, 'stage-done');
    assert.ok(lines.some(({ type, level }) => type === 'calls' && level === 'debug'));
    const words = await zephyr(third, 'logs', id, '--events', '--hub', hub.url);
    assert.match(words.stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ aif\/judge {2}done in /m);
    const status = await zephyr(third, 'status', id, '--hub', hub.url);
    assert.match(status.stdout, /^\d{4}-\d\d-\d\d .* aif {2}done in /m);

    // what the killed process wrote after its last commit comes to the branch once its machine works on the run again
    const onFirst = await linesOf(first, id, hub.url);
    assert.ok(onFirst.length >= lines.length);
    const secret = third.env?.HF_TOKEN ?? '';
    for (const { home } of [first, second, third]) assert.deepEqual(await filesWith(home, [secret]), []);
    assert.ok(!JSON.stringify(onFirst).includes(secret));
  });
});
