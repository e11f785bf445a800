import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCallLog } from '../../src/calls/call-log.ts';
import { withPractice } from '../rig/batching.ts';
import { keyOf } from '../rig/call-records.ts';
import { startChatServer } from '../rig/chat-server.ts';

const program = join(import.meta.dirname, '../rig/fill-log.ts');

test('when the disk is full, what is in flight goes into the reserve, and the log says that it is full', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-full-'));
  t.after(() => rm(folder, { recursive: true }));
  // A limit on the size of a file stands in for a full disk: the write fails half-way, a new file can still be begun.
  const child = spawnSync('bash', ['-c', `ulimit -f 64; exec "${process.execPath}" "${program}" "${folder}"`], {
    encoding: 'utf8',
  });
  assert.equal(child.status, 0, child.stderr);
  const { written, full } = JSON.parse(child.stdout) as { written: number; full: boolean };
  assert.ok(full && written > 100, child.stdout);
  assert.ok(
    (await readdir(folder)).every((name) => name.endsWith('.jsonl')),
    'the reserve leaves no file behind',
  );
  const log = await openCallLog(folder);
  for (let n = 0; n < written; n += 1) assert.equal((await log.reply(keyOf(n)))?.text, `reply ${n}`);
  assert.equal(log.totals.done, written);
  await log.close();
});

test('a session on a full disk stops asking, keeps what was in flight and asks the rest when there is space', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-full-'));
  const server = await startChatServer(() => ({ text: 'x'.repeat(40_000) }));
  t.after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });
  const asking = join(import.meta.dirname, '../rig/ask-many.ts');
  const ask = async (blocks: string) => {
    const command = `ulimit -f ${blocks}; exec "${process.execPath}" "${asking}" ${server.url} "${folder}" 300 no-store`;
    const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, error] = await Promise.all([child.stdout.toArray(), child.stderr.toArray()]);
    return { out: Buffer.concat(out).toString(), error: Buffer.concat(error).toString() };
  };
  // Room for the reserve of 4 MiB, and for some hundred replies.
  const { error } = await ask('4200');
  assert.match(error, /Cannot write the call log in ".*": no space left on the disk/);
  assert.match(error, /exit: 'temporary'/);
  assert.ok(server.asked.length >= 50 && server.asked.length < 300, `${server.asked.length} calls`);
  const { out } = await ask('unlimited');
  assert.equal((JSON.parse(out) as { answers: string[] }).answers.length, 300);
  assert.equal(server.asked.length, 300, 'nothing was lost, nothing asked twice');
});

test('a disk that is full of calls that wait for a batch stops the run as one that may be resumed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-full-'));
  t.after(() => rm(folder, { recursive: true }));
  await withPractice('', async ({ server }) => {
    const asking = join(import.meta.dirname, '../rig/ask-batch.ts');
    // Room for the reserve of 4 MiB, and for some forty of the calls.
    const command = `ulimit -f 4200; exec "${process.execPath}" "${asking}" ${server.url} "${folder}" 60 100000`;
    const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
    const error = Buffer.concat(await child.stderr.toArray()).toString();
    assert.match(error, /Stopped asking teachers: no space left on the disk/);
    assert.match(error, /exit: 'temporary'/);
  });
});
