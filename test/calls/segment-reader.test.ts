import assert from 'node:assert/strict';
import { mkdtemp, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SegmentReader } from '../../src/calls/segment-reader.ts';

const HANDLES = 8;

/** Files in a folder that this process has open. */
async function openIn(folder: string): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((path) => path.startsWith(folder)).length;
}

test('many reads at once from many segments need few open files, and none is left', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-reader-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = (n: number) => join(folder, `${n}.jsonl`);
  for (let n = 0; n < 40; n += 1) await writeFile(n % 3 === 0 ? `${path(n)}.open` : path(n), `segment ${n} `.repeat(20));
  const reader = new SegmentReader(HANDLES);
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(
      Array.from({ length: 200 }, async (_, turn) => {
        const n = (turn * 7 + round) % 40;
        const text = `segment ${n} `;
        const bytes = await reader.read(path(n), text.length * (turn % 20), text.length);
        assert.equal(bytes.toString(), text);
      }),
    );
    if (process.platform === 'linux') assert.ok((await openIn(folder)) <= HANDLES);
    if (round === 0) for (let n = 0; n < 40; n += 3) await rename(`${path(n)}.open`, path(n));
  }
  await assert.rejects(reader.read(path(99), 0, 1), { code: 'ENOENT' });
  await writeFile(path(99), 'late');
  assert.equal((await reader.read(path(99), 0, 4)).toString(), 'late');
  await reader.close();
  if (process.platform === 'linux') assert.equal(await openIn(folder), 0);
});
