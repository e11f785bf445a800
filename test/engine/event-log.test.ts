import assert from 'node:assert/strict';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EventLogReader, eventFolder, openEventLog } from '../../src/engine/event-log.ts';
import { adoptRun } from '../../src/engine/open-run.ts';
import { RunLog } from '../../src/render/run-log.ts';
import { openRig, type Rig } from './engine-rig.ts';

const warning = (message: string) => ({ type: 'warning', message }) as const;

/** A run with two lines on its branch and one on this disk alone. */
async function logged(rig: Rig) {
  const run = await rig.begin();
  await openEventLog(rig.engine, run);
  rig.engine.emit(warning('one'));
  await run.advance({ ...run.state }, 'go on');
  rig.engine.emit(warning('two'));
  return run;
}

const told = async (reader: EventLogReader, head: string) =>
  (await reader.next(head)).map(({ event }) => (event.type === 'warning' ? event.message : event.type));

test('the log of a run is on its branch with each transition, and on the disk of its process at once', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { engine } = await rig.overHttp();
  const run = await logged({ ...rig, engine, begin: () => rig.begin(engine) });
  const elsewhere = new EventLogReader(engine.hub, join(rig.folder, 'other-home'), run.state);
  assert.deepEqual(await told(elsewhere, run.head), ['session-started', 'one']);
  const here = new EventLogReader(engine.hub, engine.workFolder, run.state);
  assert.deepEqual(await told(here, run.head), ['session-started', 'one', 'two']);
  engine.emit(warning('three'));
  assert.deepEqual(await told(here, run.head), ['three']);
  await run.advance({ ...run.state }, 'go on');
  assert.deepEqual(await told(elsewhere, run.head), ['two', 'three']);
  assert.deepEqual(await told(here, run.head), []);
});

test('a process that goes on where another one was killed brings its last lines to the branch, before its own', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { engine } = await rig.overHttp();
  const killed = await logged({ ...rig, engine, begin: () => rig.begin(engine) });
  const next = { ...engine, log: new RunLog() };
  const run = await adoptRun(next.hub, next.now, { state: killed.state, head: killed.head }, true);
  await openEventLog(next, run);
  next.log.emit(warning('three'));
  await run.advance({ ...run.state }, 'go on');
  const elsewhere = new EventLogReader(engine.hub, join(rig.folder, 'other-home'), run.state);
  assert.deepEqual(await told(elsewhere, run.head), ['session-started', 'one', 'two', 'session-started', 'three']);
});

test('lines of a log that are cut, of another version or changed by hand are passed over', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await logged(rig);
  const folder = eventFolder(rig.engine.hub, rig.engine.workFolder, run.state);
  const [file = ''] = readdirSync(folder);
  const line = (fields: object) => `${JSON.stringify({ level: 'info', time: '2026-11-30T12:00:00.000Z', ...fields })}\n`;
  const lines = [
    line({ type: 'job', stage: 'dsft', step: 'train' }),
    line({ type: 'step-done', stage: 'dsft', step: 'train', artifact: 3 }),
    'no JSON\n',
    line(warning('whole')),
    line({ type: 'warning', message: 'cut' }).slice(0, 40),
  ];
  appendFileSync(join(folder, file), lines.join(''));
  const reader = new EventLogReader(rig.engine.hub, rig.engine.workFolder, run.state);
  assert.deepEqual(await told(reader, run.head), ['session-started', 'one', 'two', 'whole']);
});

test('what a job said is in the log once, although each process that follows it reads it from the beginning', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await logged(rig);
  const said = { seq: 1, t: 5, type: 'note', message: 'half done' } as const;
  for (let times = 0; times < 2; times += 1) rig.engine.emit({ type: 'job', stage: 'dsft', step: 'train', event: said });
  const reader = new EventLogReader(rig.engine.hub, rig.engine.workFolder, run.state);
  assert.deepEqual(await told(reader, run.head), ['session-started', 'one', 'two', 'job']);
});
