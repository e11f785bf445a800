import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RunLog } from '../../src/render/run-log.ts';
import { story } from './story.ts';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'events');
}

function textIn(folder: string): string {
  const names = readdirSync(folder).sort();
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('the log holds every event, also those before the run was known, with time and level and without secrets', (t) => {
  const folder = newFolder(t);
  const log = new RunLog({ secrets: ['acme/demo-sft-data'] });
  const events = story.map(({ event }) => event).filter(({ type }) => type !== 'stage-done' && type !== 'stage-failed');
  for (const event of events.slice(0, 3)) log.emit(event);
  log.open(folder, 'a', new Map());
  for (const event of events.slice(3)) log.emit(event);
  const lines = linesOf(textIn(folder));
  assert.deepEqual(
    lines.map(({ type }) => type),
    events.map(({ type }) => type),
  );
  assert.ok(lines.every(({ time }) => !Number.isNaN(Date.parse(time))));
  assert.deepEqual(new Set(lines.map(({ type, level }) => `${type} ${level}`)).has('calls debug'), true);
  assert.doesNotMatch(textIn(folder), /hf_abc|sk-abc|demo-sft-data/);
});

test('what happens after a run is over waits for the next run, and is not written where no run follows', (t) => {
  const [first, second] = [newFolder(t), newFolder(t)];
  const log = new RunLog();
  log.open(first, 'a', new Map());
  for (const { event } of story.slice(14, 16)) log.emit(event);
  log.open(second, 'b', new Map());
  assert.deepEqual(
    linesOf(textIn(first)).map(({ type }) => type),
    ['stage-done'],
  );
  assert.deepEqual(
    linesOf(textIn(second)).map(({ type }) => type),
    ['step-started'],
  );
});

test('an event that a commit brings about is in the copy of that commit, and in the file once it has come about', (t) => {
  const folder = newFolder(t);
  const log = new RunLog();
  log.open(folder, 'a', new Map());
  const event = { type: 'warning', message: 'mind the gap' } as const;
  log.announce(event);
  const [copy] = log.uncopied();
  assert.match(copy?.content ?? '', /mind the gap/);
  assert.deepEqual(readdirSync(folder), []);
  log.copied(log.uncopied());
  log.emit(event);
  assert.equal(textIn(folder), copy?.content);
  assert.deepEqual(log.uncopied(), []);
});

test('a file ends after 256 KiB, and what is said while a copy is made goes along with the next one', (t) => {
  const folder = newFolder(t);
  const log = new RunLog();
  log.open(folder, 'a', new Map());
  const say = (message: string) => log.emit({ type: 'warning', message });
  say('first');
  const copying = log.uncopied();
  for (let n = 0; n < 300; n += 1) say('x'.repeat(1000));
  log.copied(copying);
  const branch = new Map(log.uncopied().map(({ name, content }) => [name, content]));
  assert.equal(branch.size, 2);
  assert.equal([...branch.values()].join(''), textIn(folder));
});

test('what a killed process left in the folder is copied by the next one, and what the branch has is not', (t) => {
  const folder = newFolder(t);
  for (const message of ['branch', 'disk only']) {
    const killed = new RunLog();
    killed.open(folder, message.slice(0, 6), new Map());
    killed.emit({ type: 'warning', message });
  }
  const [old = ''] = readdirSync(folder).sort();
  const log = new RunLog();
  log.open(folder, 'z', new Map([[old, readFileSync(join(folder, old)).length]]));
  assert.deepEqual(
    log.uncopied().flatMap(({ content }) => linesOf(content).map(({ message }) => message)),
    ['disk only'],
  );
});

test('files that come with no transition take the log along once a minute', (t) => {
  let now = 0;
  const log = new RunLog({ now: () => now });
  log.open(newFolder(t), 'a', new Map());
  log.emit({ type: 'warning', message: 'one' });
  log.copied(log.uncopied(true));
  log.emit({ type: 'warning', message: 'two' });
  assert.equal(log.uncopied(true).length, 0);
  now += 60_000;
  assert.equal(log.uncopied(true).length, 1);
});
