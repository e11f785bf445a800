import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { openSession } from '../../src/calls/session.ts';
import { type Span, SpillFiles } from '../../src/calls/spill-files.ts';
import { batchTeacher } from '../rig/batching.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-spill-'));
after(() => rm(root, { recursive: true }));

test('spilled texts are given back, every one that was put there and not dropped, and leaves no file', async () => {
  const texts = fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 60 }), fc.boolean()), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(texts, async (items) => {
      const spill = new SpillFiles(root, 100);
      const kept: { readonly span: Span; readonly text: string }[] = [];
      await Promise.all(
        items.map(async ([text, isDropped]) => {
          const span = await spill.put(text);
          if (isDropped) spill.drop(span);
          else kept.push({ span, text });
        }),
      );
      assert.deepEqual(
        await Promise.all(kept.map(({ span }) => spill.read(span))),
        kept.map(({ text }) => Buffer.from(text).toString()),
      );
      assert.deepEqual(await readdir(root), []);
      await spill.close();
    }),
    { numRuns: 20 },
  );
});

test('calls that wait for a batch are on disk, not in memory', async () => {
  const COUNT = 4000;
  const bytes = 20_000;
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const turnedAway = new AbortController();
  const session = await openSession({
    callLog: join(root, 'journal'),
    teacher: async () => [batchTeacher('http://127.0.0.1:1/v1', { requests: 50_000 })],
    signal: turnedAway.signal,
    retryPolicy: { gatherMs: 600_000 },
  });
  const before = heap();
  const answers: Promise<unknown>[] = [];
  for (let n = 0; n < COUNT; n += 1) {
    const content = String(n).padEnd(bytes, ' word');
    const call = { teacher: 't', purpose: 'test', model: 'm', messages: [{ role: 'user' as const, content }] };
    answers.push(session.ask({ ...call, sampling: { temperature: 0, top_p: 1, max_tokens: 8 } }).catch(() => undefined));
    if (n % 250 === 249) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // The last of them may still be on their way to the disk.
  let grown = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 50 && grown > (COUNT * bytes) / 3; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    grown = heap() - before;
  }
  turnedAway.abort();
  await Promise.all(answers);
  await session.close();
  assert.ok(grown < (COUNT * bytes) / 3, `${Math.round(grown / 1e6)} MB`);
});
