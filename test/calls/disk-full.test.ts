import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCallLog } from '../../src/calls/call-log.ts';
import { keyOf } from '../rig/call-records.ts';

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
