import assert from 'node:assert/strict';
import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { missing, newPlace, type Place, start, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { killAt, killJobs, unfinished } from './kill-at.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();
const BASE = 'hf://models/test/base';
const NONE = 'hf://models/test/none';
const REWARD = 'hf://models/test/reward';
// a machine with nothing else to do has answered all before a first percentage is due
const ANSWERS = /eval\/refusals-answers {2}24 rows/;

describe('an evaluation of a model', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let place: Place;

  before(async () => {
    tiny = await writeTiny();
    place = await newPlace();
    await importBase(place);
  });
  const evaluate = (id: string, ...set: readonly string[]) => [
    ...['eval', id, tiny.recipe, '--on', tiny.on('process')],
    ...set.flatMap((value) => ['--set', `eval.${value}`]),
  ];

  test('killed in mid-answer, left by Ctrl-C and resumed in empty folders ends in the bytes of one that nobody touched', async () => {
    const home = await mkdtemp(join(tmpdir(), 'zephyr-home-'));
    await cp(place.home, home, { recursive: true });
    const untouched: Place = { ...place, home };
    // rows one by one, so that there is a middle
    const args = evaluate(BASE, 'parts=[refusals]', 'batchSize=1');
    await killAt(place, args, ANSWERS, async (child) => {
      child.kill('SIGKILL');
      await killJobs(place);
    });
    const { child, ended, says } = await start(place, ['resume', await unfinished(place)]);
    await says(/generate is up/);
    child.kill('SIGINT');
    const left = await ended;
    assert.equal(left.code, 130, left.stderr);
    const run = /resume: zephyr resume (\S+)/.exec(left.stderr)?.[1] ?? assert.fail(left.stderr);
    const resumed = await zephyr(place, 'resume', run);
    assert.equal(resumed.code, 0, resumed.stderr);
    const whole = await zephyr(untouched, ...args);
    assert.equal(whole.code, 0, whole.stderr);
    const [one, other] = await Promise.all([digestOf(place, resumed.stdout.trim()), digestOf(untouched, whole.stdout.trim())]);
    assert.equal(one, other);
    const again = await zephyr(place, ...args);
    assert.deepEqual([again.code, again.stdout], [0, resumed.stdout]);
    assert.match(again.stderr, /^suite smoke\n.*\nRefusals .*\nOver-refusals /m);
    assert.doesNotMatch(again.stderr, /started/);
  });

  test('is planned with what its judge would be asked and would cost, and nothing is asked', async () => {
    const price = 'teachers.judge.price={input: 2, output: 8, date: 2026-11-01, source: https://prices.example}';
    const sets = ['eval.judges=[judge]', 'eval.parts=[mt-bench, refusals]', price].flatMap((value) => ['--set', value]);
    const planned = await zephyr(place, 'plan', BASE, tiny.recipe, '--suite', 'paper', '--json', ...sets);
    assert.equal(planned.code, 0, planned.stderr);
    const { price: costs, steps } = JSON.parse(planned.stdout);
    assert.ok(steps.every(({ stage }: { stage: string }) => stage === 'eval'));
    const [{ step, teacher, calls, inputTokens, outputTokens, dollars }] = costs.rows;
    assert.deepEqual([costs.rows.length, step, teacher, calls], [1, 'eval/mt-bench-judge', 'judge', 160]);
    assert.equal(dollars.expected, (inputTokens * 2 + outputTokens * 8) / 1e6);
    assert.deepEqual(costs.dollars, dollars);
  });

  test('that cannot be is refused in a sentence before anything runs', async () => {
    const headless = await mkdtemp(join(tmpdir(), 'zephyr-headless-'));
    await writeFile(join(headless, 'config.json'), '{"architectures": ["MistralForSequenceClassification"]}');
    await importFolder(place, headless, REWARD);
    const refused: readonly (readonly [readonly string[], number, RegExp])[] = [
      [evaluate(NONE), 3, /^error: Cannot find "hf:\/\/models\/test\/none" on .*\nhint: bring it here with: zephyr hub pull /],
      [evaluate(REWARD), 2, /^error: Cannot evaluate .*: it is a MistralForSequenceClassification, which writes no text$/m],
      [['eval', BASE], 2, /^error: Cannot evaluate "hf:\/\/models\/test\/base": no run on .* made it.*\nhint: name a recipe /],
      [[...evaluate(BASE), '--suite', 'papers'], 2, /'papers' is invalid. Allowed choices are smoke, paper, modern/],
      [evaluate(BASE, 'parts=[refusal]'), 2, /eval\.parts\.0: .* got "refusal"; did you mean "refusals"\?/],
      [evaluate(BASE, 'parts=[mt-bench]'), 2, /eval\.judges: expected a teacher who judges mt-bench$/m],
      [evaluate(BASE, 'judges=[nobody]'), 2, /eval\.judges\.0: unknown teacher "nobody", expected one of user, mixed, /],
    ];
    for (const [args, code, says] of refused) {
      const ended = await zephyr(place, ...args);
      assert.deepEqual([ended.code, ended.stdout], [code, ''], ended.stderr);
      assert.match(ended.stderr, says);
    }
  });

  test('in a rehearsal goes without what needs packages that cannot be fetched, and says so', async () => {
    const cache = await mkdtemp(join(tmpdir(), 'zephyr-cache-'));
    const offline = { XDG_CACHE_HOME: cache, PIP_CONFIG_FILE: '/dev/null', PIP_NO_INDEX: '1', PIP_FIND_LINKS: cache };
    const { child, ended, says } = await start({ ...(await newPlace(offline)) }, ['rehearse', 'zephyr-7b']);
    await says(/Python environment "lm-eval": cannot be made: /);
    await says(/Python environment "lm-eval": not here, eval goes without harness/);
    child.kill('SIGINT');
    await ended;
  });
});

async function digestOf(place: Place, id: string): Promise<string> {
  const { manifest } = JSON.parse((await zephyr(place, 'inspect', id, '--json')).stdout) as { manifest: { digest: string } };
  return manifest.digest;
}
