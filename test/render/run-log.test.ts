import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRunLog } from '../../src/render/run-log.ts';
import { story } from './story.ts';

test('the run log holds every event of every attempt, with its time and without its secrets', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'runs', 'run-01.ndjson');
  for (const half of [story.slice(0, 10), story.slice(10)]) {
    const log = openRunLog(path, { secrets: ['acme/demo-sft-data'] });
    for (const { event } of half) log.emit(event);
    log.close();
  }
  const text = readFileSync(path, 'utf8');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ type }) => type),
    story.map(({ event }) => event.type),
  );
  assert.ok(lines.every(({ time }) => !Number.isNaN(Date.parse(time))));
  assert.doesNotMatch(text, /hf_abc|sk-abc|demo-sft-data/);
});

test('an event is in the file before the log is closed', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'events.ndjson');
  const log = openRunLog(path);
  log.emit({ type: 'warning', message: 'mind the gap' });
  assert.match(readFileSync(path, 'utf8'), /"type":"warning","message":"mind the gap"/);
  log.close();
});
