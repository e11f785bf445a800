import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { type Followed, followJob } from '../../src/backends/follow.ts';
import type { Scheduler } from '../../src/backends/scheduler.ts';
import type { Hub } from '../../src/hub/hub.ts';
import type { JobState } from '../../src/model/job.ts';

const QUICK = { pollMs: 1, statePollMs: 1 };
const EXITED: JobState = { state: 'exited', code: 0, outOfMemory: false };
const heartbeat = (seq: number) => `${JSON.stringify({ seq, t: 1, type: 'heartbeat' })}\n`;

/** Follows a folder under a backend that answers with these states, the last one for ever. */
async function follow(
  states: (JobState | (() => Promise<JobState>))[],
  fill: (folder: string) => Promise<void>,
): Promise<Followed[]> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-follow-'));
  try {
    await fill(folder);
    const workspace = new FolderWorkspace('local', folder, {} as Hub);
    const labels = { run: 'r', stage: 's', step: 't', epoch: 1 };
    const handle = { backend: 'lying', host: 'h', id: '1', place: folder, labels, startedAt: '' };
    const lying: Pick<Scheduler, 'name' | 'askEveryMs' | 'state'> = {
      name: 'lying',
      askEveryMs: 1,
      state: async () => {
        const next = states.length > 1 ? states.shift() : states[0];
        return typeof next === 'function' ? await next() : (next ?? EXITED);
      },
    };
    const items: Followed[] = [];
    for await (const item of followJob({ scheduler: lying as Scheduler, workspace }, handle, QUICK)) items.push(item);
    return items;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a line that is not an event becomes a note, and a torn last line is left alone', async () => {
  const items = await follow([EXITED], (folder) =>
    writeFile(join(folder, 'events.jsonl'), `${heartbeat(0)}{"seq": 1, "t\n[]\n${heartbeat(2)}{"seq": 3`),
  );
  assert.deepEqual(
    items.map(({ type }) => type),
    ['event', 'note', 'note', 'event', 'ended'],
  );
});

test('events written between the last look and the end are not lost', async () => {
  let folder = '';
  const late = async (): Promise<JobState> => {
    await appendFile(join(folder, 'events.jsonl'), heartbeat(1));
    return EXITED;
  };
  const items = await follow([{ state: 'running' }, late], async (made) => {
    folder = made;
    await writeFile(join(made, 'events.jsonl'), heartbeat(0));
  });
  assert.deepEqual(
    items.map(({ type }) => type),
    ['event', 'event', 'ended'],
  );
});

test('a backend that does not answer is waited for, and said so once', async () => {
  const silence: JobState = { state: 'unknown', why: 'timed out' };
  const items = await follow([...Array.from({ length: 6 }, () => silence), { state: 'running' }, EXITED], async () => {});
  assert.deepEqual(
    items.map((item) => (item.type === 'note' ? item.message : item.type)),
    ['lying does not answer (timed out); waiting, the job may well go on', 'lying answers again', 'ended'],
  );
});

test('a job that is absent in one answer only is not gone', async () => {
  const [end] = await follow([{ state: 'absent' }, { state: 'running' }, { state: 'absent' }, EXITED], async () => {});
  assert.deepEqual(end, { type: 'ended', state: EXITED, result: undefined, logTail: [] });
});

test('a result that breaks the contract proves nothing', async () => {
  for (const text of ['{"version": 1', '{"version": 1, "global_step": "3"}']) {
    const [end] = await follow([EXITED], (folder) => writeFile(join(folder, 'result.json'), text));
    assert.ok(end?.type === 'ended' && end.result === undefined);
  }
});

test('the tail of a log keeps the last state of a progress bar and drops what is cut in two', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-tail-'));
  try {
    await writeFile(join(folder, 'log.txt'), `${'x'.repeat(40_000)}\nfirst\n10%\r50%\r100%\r\nlast`);
    const { logTail } = await new FolderWorkspace('local', folder, {} as Hub).end(folder);
    assert.deepEqual(logTail, ['first', '100%', 'last']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
