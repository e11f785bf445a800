import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { holdsId } from '../../src/render/table.ts';
import { onTerminal } from '../rig/terminal.ts';
import { type Ended, missing, newPlace, type Place, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { stopStage } from './early-stop.ts';
import { freezeTraining } from './freeze.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

interface Verdict {
  readonly kind: string;
  readonly exit: number;
  readonly ids: readonly string[];
  readonly message?: string;
}

/** The last line of a command with `--json`. */
function verdictOf(ended: Ended): Verdict {
  const { kind, exit, ids, message } = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Verdict;
  return { kind, exit, ids, ...(message === undefined ? {} : { message }) };
}

describe('a run is watched from any terminal', { skip: missing(), concurrency: false }, () => {
  let tiny: Tiny;
  let place: Place;

  before(async () => {
    tiny = await writeTiny();
    place = await newPlace();
    await importBase(place);
  });

  test('while its job runs: step of steps, loss, rate and time left, and a wait that ends as the run does', async (t) => {
    const long = ['dsft.train.maxSteps=160', 'dsft.train.epochs=200', 'dsft.train.saveSteps=10'].flatMap((set) => ['--set', set]);
    const owner = await start(place, ['dsft', tiny.recipe, '--on', tiny.on('process'), ...long]);
    await owner.says(/dsft\/train {2}checkpoint at step 20/);
    const thaw = await freezeTraining(t, place);
    const [run] = await runsAt(place);
    const id = run?.id ?? '';

    const seen = await zephyr(place, 'status', id);
    assert.equal(seen.code, 7, seen.stderr);
    assert.match(seen.stdout, /^train +running +\d+ % · \d+\/160 · loss [\d.]+ · .*\d.* · ETA .* · checkpoint \d+$/m);
    const told = await zephyr(place, 'status', id, '--json');
    const { progress, ...rest } = JSON.parse(told.stdout) as Verdict & { progress: Record<string, number> };
    assert.deepEqual([rest.kind, rest.exit, rest.ids], ['running', 7, [id]]);
    assert.ok((progress.step ?? 0) >= 20 && progress.steps === 160 && (progress.etaSeconds ?? 0) > 0, told.stdout);

    assert.equal((await zephyr(place, 'wait', id, '--timeout', '0')).code, 7);
    assert.deepEqual(verdictOf(await zephyr(place, 'wait', id, '--timeout', '0', '--json')), {
      kind: 'running',
      exit: 7,
      ids: [id],
    });
    const waiting = await start(place, ['wait', id]);
    const following = await start(place, ['logs', id, '--follow']);
    await waiting.says(/dsft\/train {2}.*is up/);
    thaw();
    const [made, waited, followed] = await Promise.all([owner.ended, waiting.ended, following.ended]);
    assert.deepEqual([made.code, waited.code, followed.code], [0, 0, 0], waited.stderr + followed.stderr);
    assert.equal(waited.stdout, made.stdout, 'the artifact, as the stage printed it');
    assert.match(followed.stdout, /^==> prepare-e1 <==$[^$]*^==> train-e2 <==$/m);

    const artifact = made.stdout.trim();
    const short = `${artifact.slice('hf://models/'.length, artifact.indexOf('@') + 8)}`;
    assert.match(made.stderr, new RegExp(`dsft/train  done .*${short}`), 'a short commit is printed');
    for (const name of [short, `hf://models/${short}`])
      assert.deepEqual(verdictOf(await zephyr(place, 'inspect', name, '--json')), { kind: 'done', exit: 0, ids: [artifact] });
    assert.equal((await zephyr(place, 'status', short)).code, 0);
  });

  test('when it has failed: status and wait exit with 5, and lists find it by stage, phase, repo and number', async () => {
    const own = await newPlace();
    const args = await stopStage(own, tiny);
    const failed = await zephyr(own, ...args, '--json');
    const [run] = await runsAt(own);
    const id = run?.id ?? '';
    const said = verdictOf(failed);
    assert.deepEqual([said.kind, said.exit, said.ids], ['usage', 2, [id]], failed.stdout);
    assert.match(said.message ?? '', /tokenizer\.json/);
    assert.equal((await zephyr(own, 'status', id)).code, 5);
    const waited = await zephyr(own, 'wait', id);
    assert.equal(waited.code, 5);
    assert.match(waited.stderr, /^error: Run hf:\S+ failed: .*tokenizer\.json/m);
    assert.deepEqual(await runsAt(own, '--stage', 'aif'), []);
    assert.deepEqual(await runsAt(own, '--phase', 'done'), []);
    assert.deepEqual(await runsAt(own, '--repo', 'other'), []);
    for (const more of [
      ['--stage', 'dsft'],
      ['--phase', 'failed'],
      ['--repo', 'tiny'],
      ['--limit', '1'],
    ])
      assert.deepEqual(
        (await runsAt(own, ...more)).map((one) => one.id),
        [id],
      );
    assert.equal((await zephyr(own, 'status', '--limit', '0')).code, 2);
  });

  test('a program that reads --json is told how it ended, whatever went wrong', async () => {
    const own = await newPlace();
    const kinds: [readonly string[], string, number][] = [
      [['run', 'missing.yaml'], 'usage', 2],
      [['run', tiny.recipe, '--onn', 'docker'], 'usage', 2],
      [['plan', tiny.recipe, '--on', tiny.on('process')], 'preflight', 3],
      [['status', 'run-01arz3ndektsv4rrffq69g5fav'], 'preflight', 3],
      [['inspect', 'hf://models/test/none'], 'preflight', 3],
      [['resume', 'nonsense'], 'usage', 2],
      [['hub', 'ls', '--hub', 'http://127.0.0.1:9'], 'temporary', 75],
    ];
    for (const [args, kind, exit] of kinds) {
      const ended = await zephyr(own, ...args, '--json');
      const said = verdictOf(ended);
      assert.deepEqual([said.kind, said.exit, ended.code], [kind, exit, exit], `${args.join(' ')}: ${ended.stdout}`);
      assert.ok(ended.stderr.includes(said.message?.split('\n')[0] ?? 'no message'), ended.stderr);
    }
  });

  test('no ID is cut at 80 columns, and nothing else is wider', async () => {
    const [run] = await runsAt(place);
    const { ids } = JSON.parse((await zephyr(place, 'status', '--json')).stdout) as Verdict;
    const commands: [string[], readonly string[]][] = [
      [['status'], [run?.id ?? '']],
      [['inspect', ids[0] ?? ''], [ids[0] ?? '']],
      [['hub', 'ls'], ['hf://models/test/tiny-dsft']],
      [['plan', tiny.recipe, '--on', tiny.on('process')], ['hf://models/test/base@']],
      [['plan', tiny.recipe, '--on', tiny.on('process'), '--rehearsal'], ['hf://models/test/tiny-rehearsal-dsft']],
      [['dsft', tiny.recipe, '--on', tiny.on('process')], ['hf://models/test/tiny-dsft@run-']],
    ];
    for (const [args, whole] of commands) {
      const terminal = await onTerminal(place, 80, args);
      assert.equal(await terminal.ended, 0, terminal.printed());
      const printed = stripVTControlCharacters(terminal.printed());
      for (const id of whole) assert.ok(printed.includes(id), `${args.join(' ')} shows ${id}: ${printed}`);
      for (const line of printed.split(/[\r\n]+/)) {
        assert.ok(line.length <= 80 || holdsId(line), `${args.join(' ')}: ${line}`);
        assert.doesNotMatch(line, /hf:\/\/\S*…|@[0-9a-f]*…|run-[0-9a-z]*…/, args.join(' '));
      }
    }
  });
});
