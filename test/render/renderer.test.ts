import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { openRenderer } from '../../src/render/renderer.ts';
import type { RendererOptions } from '../../src/render/renderer-options.ts';
import { runningSteps } from '../../src/render/running-steps.ts';
import { holdsId } from '../../src/render/table.ts';
import { textWidth } from '../../src/render/text-width.ts';
import { progressParts } from '../../src/render/wording.ts';
import { START, story } from './story.ts';

/** What a renderer writes of the story, call by call. */
async function tell(options: Pick<RendererOptions, 'mode' | 'columns' | 'color'>, events = story): Promise<string[]> {
  const written: string[] = [];
  let now = START;
  const renderer = await openRenderer({
    ...options,
    stream: { write: (text) => written.push(text) },
    now: () => now * 1000,
    frame: 0,
  });
  for (const { at, event } of events) {
    now = START + at;
    renderer.emit(event);
  }
  renderer.close();
  return written;
}

const RESULT = { type: 'dataset', name: 'acme/demo-aif', commit: 'c'.repeat(40) } as const;

test('a log gets a line for what is worth one, and progress now and then', async () => {
  assert.deepEqual((await tell({ mode: 'plain' })).join('').split('\n'), [
    '12:00:00Z dsft  started run-01',
    '12:00:00Z dsft/prepare  reused acme/demo-sft-data@ddddddd · same fingerprint fffffff',
    '12:00:01Z dsft/train  started (9999999)',
    '12:00:01Z dsft/train  runs as process 4711:99',
    '12:00:02Z dsft/train  staging 2 inputs with token [redacted]',
    '12:00:03Z dsft/train  dsft is up: torch 2.13.0, trl 1.13.0',
    '12:00:20Z dsft/train  20 %  40/200  loss 2.1  2.5/s  ETA 1m 04s',
    '12:00:30Z dsft/train  34 %  68/200  loss 1.7  2.6/s  ETA 50 s',
    '12:00:31Z dsft/train  checkpoint at step 60',
    '12:00:40Z dsft/train  62 %  124/200  loss 1.4  3.4/s  ETA 22 s',
    '12:01:00Z dsft/train  100 %  200/200  loss 1.25  3.6/s',
    '12:01:02Z dsft/train  done in 1m 01s · loss 2.5 → 1.25 █▆▃▁▁ · acme/demo-dsft@a1b2c3d · train loss 1.75',
    '12:01:02Z dsft  done in 1m 02s',
    `12:01:02Z dsft  hf://models/acme/demo-dsft@${'a1b2c3d4'.repeat(5)}`,
    '12:01:03Z aif/judge  started (8888888)',
    '12:01:15Z aif/judge  41 %  410/1,000 calls  20 replayed  3 failed  $0.41/$2.00  2.34k/2.5k rpm  429 0.4 %  39/s  ETA 15 s',
    '12:01:16Z zephyr  warning: the teacher asks to slow down',
    '12:01:20Z aif/judge  FAILED job failed with exit code 1: it ended early',
    '12:01:20Z aif/judge  | Traceback',
    '12:01:20Z aif/judge  | KeyError: [redacted]',
    '12:01:20Z aif/judge  run run-02',
    '',
  ]);
});

test('a program gets every event as one JSON object with v, seq, ts and type', async () => {
  const lines = (await tell({ mode: 'json' })).map((line) => JSON.parse(line));
  assert.equal(lines.length, story.length);
  assert.deepEqual(lines[0], {
    v: 1,
    seq: 0,
    ts: '2026-11-22T12:00:00.000Z',
    type: 'stage-started',
    stage: 'dsft',
    run: 'run-01',
    resumed: false,
  });
  assert.deepEqual(
    lines.map(({ seq }) => seq),
    story.map((_, index) => index),
  );
  assert.equal(lines[4].message, 'staging 2 inputs with token [redacted]');
});

/** The last frame of the live view before an event of the story, as lines. */
async function frameAt(index: number, columns: number): Promise<string[]> {
  const last = (await tell({ mode: 'tty', columns, color: false }, story.slice(0, index + 1))).at(-3) ?? '';
  return stripVTControlCharacters(last)
    .trim()
    .split('\n')
    .map((line) => line.trim());
}

test('the live view shows a running step on one line, and less of it where there is less room', async () => {
  const training = story.findIndex(({ at }) => at === 40);
  assert.deepEqual(await frameAt(training, 80), [
    '⠋ train         ████████░░░░░  62 %  124/200  loss 1.4  █▆▃▁  3.4/s  ETA 22 s',
  ]);
  assert.deepEqual(await frameAt(training, 40), ['⠋ train  62 %  loss 1.4  ETA 22 s']);
  const calls = story.findIndex(({ at }) => at === 75);
  assert.deepEqual(await frameAt(calls, 80), ['⠋ judge         41 %  410/1,000 calls  $0.41/$2.00  2.34k/2.5k rpm  ETA 15 s']);
});

test('a step that has counted nothing yet shows how long it has run, also when the clock was set back', async () => {
  const noted = story.findIndex(({ event }) => event.type === 'note');
  assert.deepEqual(await frameAt(noted, 80), ['⠋ train         1.0 s  staging 2 inputs with token [redacted]']);
  const [started] = story.filter(({ event }) => event.type === 'step-started');
  assert.ok(started);
  const back = [started, { at: -100, event: { type: 'note', stage: 'dsft', step: 'train', message: 'waits' } as const }];
  const frame = stripVTControlCharacters((await tell({ mode: 'tty', columns: 80, color: false }, back)).at(-3) ?? '');
  assert.match(frame, /train {9}0\.0 s {2}waits/);
});

test('on a terminal what is done stays above what runs', async () => {
  const screen = (await tell({ mode: 'tty', columns: 80, color: false })).join('');
  const kept = stripVTControlCharacters(screen)
    .split(/[\r\n]+/)
    .filter((line) => /[✓✗!]|@|\|/.test(line));
  assert.deepEqual(kept, [
    '  ✓ prepare       reused acme/demo-sft-data@ddddddd · same fingerprint fffffff',
    '  ✓ train         done in 1m 01s · loss 2.5 → 1.25 █▆▃▁▁ ·',
    '                  acme/demo-dsft@a1b2c3d · train loss 1.75',
    '✓ dsft  done in 1m 02s',
    `    hf://models/acme/demo-dsft@${'a1b2c3d4'.repeat(5)}`,
    '! the teacher asks to slow down',
    '  ✗ judge         job failed with exit code 1: it ended early',
    '    | Traceback',
    '    | KeyError: [redacted]',
  ]);
});

test('the cursor is hidden at most once and always given back', async () => {
  for (let length = 1; length <= story.length; length += 1) {
    const written = (await tell({ mode: 'tty', columns: 80 }, story.slice(0, length))).join('');
    assert.equal(written.split('\u001b[?25l').length, written.split('\u001b[?25h').length);
    assert.ok(written.lastIndexOf('\u001b[?25l') <= written.lastIndexOf('\u001b[?25h'));
  }
});

test('colour changes no letter', async () => {
  const text = async (color: boolean) => stripVTControlCharacters((await tell({ mode: 'tty', columns: 80, color })).join(''));
  assert.equal(await text(true), await text(false));
});

test('no line reaches the edge of the terminal but a reference that must stay whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 130 }), fc.integer({ min: 1, max: story.length }), async (columns, length) => {
      const written = (await tell({ mode: 'tty', columns, color: true }, story.slice(0, length))).join('');
      for (const line of stripVTControlCharacters(written).split(/[\r\n]+/)) {
        assert.ok(textWidth(line) < columns || holdsId(line), `${columns}: ${line}`);
      }
    }),
  );
});

test('a command can say something of its own in every mode', async () => {
  const said = async (mode: RendererOptions['mode']) => {
    const written: string[] = [];
    const renderer = await openRenderer({
      mode,
      stream: { write: (text) => written.push(text) },
      now: () => START * 1000,
      frame: 0,
    });
    renderer.print('detached; Bearer abcdefgh12345');
    renderer.close();
    return written.join('');
  };
  assert.equal(await said('plain'), 'detached; Bearer [redacted]\n');
  assert.equal(await said('tty'), 'detached; Bearer [redacted]\n');
  assert.equal(
    await said('json'),
    '{"v":1,"seq":0,"ts":"2026-11-22T12:00:00.000Z","type":"message","message":"detached; Bearer [redacted]"}\n',
  );
});

test('what a task notes stays on a terminal, whole, and its stage ends with what was spent', async () => {
  const teachers: [] = [];
  const progress = { done: 2, total: 2, failed: 0, replayed: 0, ahead: 0, costUsd: 0.1, spentUsd: 1.25, capUsd: 5, etaSeconds: null, teachers }; // biome-ignore format: one line
  const message = '97 of 320 judgements could not be read and give no rating, most since the reply is cut off';
  const told = [
    { type: 'step-started', stage: 'aif', step: 'judge', fingerprint: 'a'.repeat(64) },
    { type: 'note', stage: 'aif', step: 'judge', message, lasting: true },
    { type: 'note', stage: 'aif', step: 'judge', message: 'passes by' },
    { type: 'calls', stage: 'aif', step: 'judge', progress },
    { type: 'warning', message: 'once all answers are in, they are written' },
    { type: 'stage-done', stage: 'aif', run: 'run-1', artifact: RESULT, reused: false, seconds: 3 },
  ] as const;
  const lines = stripVTControlCharacters(
    (
      await tell(
        { mode: 'tty', columns: 80, color: false },
        told.map((event, at) => ({ at, event })),
      )
    ).join(''),
  ).split(/[\r\n]+/);
  assert.ok(lines.includes('  · judge         97 of 320 judgements could not be read and give no rating,'));
  assert.ok(lines.includes('                  most since the reply is cut off'));
  assert.ok(!lines.some((line) => line.includes('· judge         passes by')));
  assert.ok(
    lines.some((line) => /judge .* 100 % .* 2\/2 calls .* writing/.test(line)),
    lines.join('\n'),
  );
  assert.ok(lines.includes('✓ aif  done in 3.0 s · spent $1.25 of $5.00'));
});

test('a training on a device whose peak is known says what share of it computes, from one report to the next', () => {
  const steps = runningSteps();
  const tell = (step: number, metrics: Record<string, number>) =>
    steps.apply(
      { type: 'job', stage: 'dsft', step: 'train', event: { seq: step, t: step, type: 'progress', step, max_steps: 9, metrics } },
      step,
    );
  tell(1, { loss: 2, mfu: 0.4142 });
  tell(2, { eval_loss: 2 });
  const running = steps.get('dsft', 'train');
  assert.ok(running !== undefined);
  assert.equal(progressParts(running).mfu, 'MFU 41 %');
});
