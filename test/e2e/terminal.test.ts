import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { promisify, stripVTControlCharacters } from 'node:util';
import { assertMistake } from '../rig/mistake.ts';
import { startPractice } from '../rig/practice.ts';
import { CTRL_C, onTerminal } from '../rig/terminal.ts';
import { cli, type ListedRun, missing, newPlace, type Place, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { stopStage } from './early-stop.ts';
import { cancelled, freezeTraining } from './freeze.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();
const run = promisify(execFile);
const VERBS = [
  'run',
  'dsft',
  'aif',
  'ddpo',
  'rehearse',
  'plan',
  'resume',
  'status',
  'logs',
  'cancel',
  'inspect',
  'hub',
  'schema',
  'completion',
];
/** A training of many short steps: long enough to turn away from, and to come back to. */
const LONG = ['--set', 'dsft.train.maxSteps=160', '--set', 'dsft.train.epochs=200', '--set', 'dsft.train.saveSteps=10'];

describe('what is printed, and what Ctrl-C does', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let place: Place;
  const dsft = (rate: string): string[] => [
    'dsft',
    tiny.recipe,
    '--on',
    tiny.on('process'),
    ...LONG,
    '--set',
    `dsft.train.learningRate=${rate}`,
  ];

  before(async () => {
    tiny = await writeTiny();
    place = await newPlace();
    await importBase(place);
  });

  test('the help of every verb fits 80 columns', async () => {
    for (const args of [['--help'], ...VERBS.map((verb) => [verb, '--help'])]) {
      const { code, stdout, stderr } = await zephyr(place, ...args);
      assert.equal(code, 0, stderr);
      assert.deepEqual(
        stdout.split('\n').filter((line) => line.length > 80),
        [],
        args.join(' '),
      );
    }
    for (const verb of VERBS) assert.match((await zephyr(place, '--help')).stdout, new RegExp(`^  ${verb} `, 'm'));
  });

  test('bash accepts the completion script, and completes verbs and options', async () => {
    const { stdout: script } = await zephyr(place, 'completion', 'bash');
    const words = async (...typed: string[]): Promise<string> => {
      const line = `${script}\nCOMP_WORDS=(${typed.map((word) => `"${word}"`).join(' ')}); COMP_CWORD=${typed.length - 1}; _zephyr; echo "\${COMPREPLY[*]}"`;
      return (await run('bash', ['-c', line])).stdout.trim();
    };
    assert.equal(await words('zephyr', 'reh'), 'rehearse');
    assert.equal(await words('zephyr', 'plan', '--deta'), '--detailed-exitcode');
  });

  test('a reader that has seen enough ends the command without a word', async () => {
    for (const args of ['schema recipe', 'hub ls', `plan ${tiny.recipe} --on ${tiny.on('process')} --json`]) {
      const line = `set -o pipefail; "${process.execPath}" "${cli}" ${args} | head -n 1`;
      const { stdout, stderr } = await run('bash', ['-c', line], { env: { ...process.env, ZEPHYR_HOME: place.home } });
      assert.doesNotMatch(stderr, /EPIPE|\bat /);
      assert.equal(stdout.split('\n').length, 2, stdout);
    }
  });

  test('a run that is detached from goes on, is watched, and is taken up again', async (t) => {
    const args = dsft('1.0e-3');
    const plan = ['plan', ...args.slice(1), '--stage', 'dsft', '--detailed-exitcode'];
    assert.equal((await zephyr(place, ...plan)).code, 10);
    const { child, ended, says } = await start(place, args);
    await says(/dsft\/train {2}runs as/);
    const thaw = await freezeTraining(t, place);
    child.kill('SIGINT');
    const away = await ended;
    assert.equal(away.code, 130, away.stderr);
    assert.equal(away.stdout, '');
    assert.equal(away.stderr, stripVTControlCharacters(away.stderr), 'plain lines without a terminal');
    const id = /^ {2}resume: zephyr resume (hf:\S+)$/m.exec(away.stderr)?.[1] ?? '';
    for (const way of ['watch:  zephyr status', 'cancel: zephyr cancel'])
      assert.match(away.stderr, new RegExp(`^  ${way} ${id}$`, 'm'));
    const follower = await start(place, ['logs', id, '--follow']);
    assert.equal((await zephyr(place, 'status', id)).code, 7);
    thaw();
    const { code, stdout, stderr } = await zephyr(place, 'resume', id, '--json');
    assert.equal(code, 0, stderr);
    const lines = stdout.trim().split('\n');
    const last = lines.pop() ?? '';
    const events = lines.map((line) => JSON.parse(line) as { v: number; seq: number; ts: string; type: string });
    const made = (await zephyr(place, 'wait', id)).stdout.trim();
    assert.match(made, /^hf:\/\/models\/test\/tiny-dsft@[0-9a-f]{40}$/);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, index) => index),
    );
    assert.ok(events.every(({ v, ts, type }) => v === 1 && !Number.isNaN(Date.parse(ts)) && type !== ''));
    assert.ok(events.some(({ type }) => type === 'job-adopted'));
    assert.ok(!events.some(({ type }) => type === 'job-submitted'));
    assert.equal(events.at(-1)?.type, 'stage-done');
    assert.deepEqual(JSON.parse(last), { v: 1, type: 'verdict', kind: 'done', exit: 0, ids: [made] });
    const followed = await follower.ended;
    assert.equal(followed.code, 0, followed.stderr);
    assert.match(followed.stdout, /^==> prepare-e1 <==$[^$]*^==> train-e2 <==$/m);
    assert.match((await zephyr(place, 'logs', id)).stdout, /^==> train-e2 <==$/m);
    assert.equal((await zephyr(place, 'status', id)).code, 0);
    assert.equal((await zephyr(place, ...plan)).code, 0);
  });

  test('on a terminal: a live view, a question at the second Ctrl-C, and a run that is cancelled and resumed', async (t) => {
    const terminal = await onTerminal(place, 80, dsft('1.1e-3'));
    await terminal.shows(/\d+\/160/);
    await terminal.shows(/(?:\d{2}|1\d\d)\/160/);
    const shown = () => stripVTControlCharacters(terminal.printed());
    const thaw = await freezeTraining(t, place);
    terminal.type(CTRL_C);
    await terminal.shows(/resume: zephyr resume hf:\S+\s/);
    const id = /zephyr resume (hf:\S+)/.exec(shown())?.[1] ?? '';
    terminal.type(CTRL_C);
    await terminal.shows(/Cancel the job too\?.*\[y\/N\]/);
    terminal.type('y\r');
    await cancelled(place, id);
    thaw();
    assert.equal(await terminal.ended, 4, terminal.printed());
    const printed = terminal.printed();
    assert.equal(printed.split('\u001b[?25l').length, printed.split('\u001b[?25h').length, 'the cursor is given back');
    assert.ok(printed.includes('\u001b[32m'), 'in colour');
    for (const line of shown().split(/[\r\n]+/)) assert.ok(line.length <= 80 || /hf:\/\//.test(line), line);
    const status = await zephyr(place, 'status', id);
    assert.equal(status.code, 4);
    assert.match(status.stdout, /cancelled/);

    const again = await start(place, ['resume', id]);
    await again.says(/train {2}runs as .*, goes on after step [1-9]/);
    const thawAgain = await freezeTraining(t, place);
    const cancelling = zephyr(place, 'cancel', id);
    await cancelled(place, id);
    thawAgain();
    const { code, stderr } = await cancelling;
    assert.equal(code, 0, stderr);
    const stopped = await again.ended;
    assert.equal(stopped.code, 4, stopped.stderr);

    const quiet = await onTerminal({ ...place, env: { NO_COLOR: '1' } }, 80, ['resume', id]);
    assert.equal(await quiet.ended, 0, quiet.printed());
    assert.ok(
      !['\u001b[1m', '\u001b[2m', '\u001b[3'].some((style) => quiet.printed().includes(style)),
      'no colour with NO_COLOR',
    );
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} while a teacher is asked: every answer is kept and none is asked for again`, async (t) => {
      const practice = await startPractice(7);
      t.after(practice.stop);
      const own = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
      const asks = practice.hold((passed) => passed >= 6);
      const { child, ended } = await start(own, await stopStage(own, tiny));
      await asks;
      child.kill(signal);
      practice.open();
      const away = await ended;
      assert.equal(away.code, 130, away.stderr);
      const id = /^ {2}resume: zephyr resume (hf:\S+)$/m.exec(away.stderr)?.[1] ?? '';
      assert.match(away.stderr, /^Detached from dsft\/construct; it has stopped, and every answered call is kept$/m);
      assert.doesNotMatch(away.stderr, /watch:|cancel|goes on/, 'no job runs that could be');
      assert.equal((await zephyr(own, 'status', id)).code, 75, 'nobody works on it');
      const asked = (await practice.answered()).length;
      assert.ok(asked > 0);
      assert.match((await zephyr(own, 'resume', id)).stderr, /construct {2}done/);
      const keys = await practice.answered();
      assert.ok(keys.length > asked);
      assert.equal(new Set(keys).size, keys.length);
    });
  }

  test('a run that asks teachers is cancelled from elsewhere, and resumed', async (t) => {
    const practice = await startPractice(7);
    t.after(practice.stop);
    const own = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    const asks = practice.hold((passed) => passed >= 6);
    const { ended } = await start(own, await stopStage(own, tiny));
    await asks;
    const [{ id }] = (await runsAt(own)) as [ListedRun];
    const { code, stderr } = await zephyr(own, 'cancel', id);
    assert.equal(code, 0, stderr);
    practice.open();
    assertMistake(await ended, 4, /it was cancelled/, /zephyr resume hf:/);
    assert.match((await zephyr(own, 'status', id)).stdout, /cancelled/);
    assert.match((await zephyr(own, 'resume', id)).stderr, /construct {2}done/);
    const keys = await practice.answered();
    assert.equal(new Set(keys).size, keys.length, 'no answered call is asked again');
  });
});
