import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type FlushBound, Flusher, type Sent } from '../../src/calls/flusher.ts';

/** A flusher to a Hub that takes a copy when it is told to. */
function rig(t: TestContext, bound: Partial<FlushBound>) {
  const copies: { readonly land: () => void; readonly fail: () => void }[] = [];
  const notes: string[] = [];
  const stop = new AbortController();
  let isOver = false;
  let began = Promise.withResolvers<void>();
  const flusher = new Flusher({
    log: { roll: async () => {} },
    flush: () =>
      new Promise<void>((resolve, reject) => {
        if (isOver) resolve();
        copies.push({ land: resolve, fail: () => reject(new Error('the Hub is away')) });
        began.resolve();
      }),
    bound: { calls: 1000, usd: 1000, everyMs: 3_600_000, ...bound },
    signal: stop.signal,
    note: (note) => notes.push(note),
  });
  t.after(async () => {
    isOver = true;
    stop.abort();
    for (const { land } of copies) land();
    await flusher.close();
  });
  return {
    flusher,
    copies,
    notes,
    stop,
    /** Resolves when the next copy is under way. */
    async copying(): Promise<void> {
      await began.promise;
      began = Promise.withResolvers();
    },
  };
}

/** Sends and answers so many calls, as far as they are let out. */
async function answer(flusher: Flusher, calls: number, usd = 0): Promise<void> {
  for (let n = 0; n < calls; n += 1) {
    const sent = await flusher.admit(usd);
    flusher.touch();
    sent.answered(usd);
  }
}

const isOpen = async (sent: Promise<Sent>): Promise<boolean> =>
  await Promise.race([
    sent.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => setImmediate(() => resolve(false)))),
  ]);

test('at the bound of calls, answered or on their way, sending waits until a copy has landed', async (t) => {
  const { flusher, copies, copying } = rig(t, { calls: 10 });
  await answer(flusher, 8);
  await copying();
  const [ninth, tenth, eleventh] = [flusher.admit(0), flusher.admit(0), flusher.admit(0)];
  assert.deepEqual([await isOpen(ninth), await isOpen(tenth), await isOpen(eleventh)], [true, true, false]);
  copies[0]?.land();
  await eleventh;
});

test('at the bound of dollars sending waits, but for a call that is dearer by itself', async (t) => {
  const { flusher, copies, copying } = rig(t, { usd: 1 });
  const dear = await flusher.admit(3);
  const next = flusher.admit(0.1);
  assert.equal(await isOpen(next), false);
  flusher.touch();
  dear.answered(3);
  await copying();
  assert.equal(await isOpen(next), false);
  copies[0]?.land();
  await next;
});

test('what was refused or not sent counts no more, and one copy is under way at a time', async (t) => {
  const { flusher, copies, copying } = rig(t, { calls: 4 });
  const sent = await Promise.all([0, 1, 2, 3].map(() => flusher.admit(0)));
  const next = flusher.admit(0);
  assert.equal(await isOpen(next), false);
  sent[0]?.withdrawn();
  sent[0]?.answered(0);
  await next;
  flusher.touch();
  for (const each of sent) each.answered(0);
  await copying();
  assert.equal(copies.length, 1);
});

test('a Hub that fails is tried again; meanwhile no call goes out beyond the bound, and it is said', async (t) => {
  const { flusher, copies, copying, notes } = rig(t, { calls: 2 });
  await answer(flusher, 2);
  await copying();
  const next = flusher.admit(0);
  copies[0]?.fail();
  await copying();
  assert.match(notes[0] ?? '', /could not be copied to the Hub yet: the Hub is away/);
  assert.equal(await isOpen(next), false);
  copies[1]?.land();
  await next;
});

test('a stop lets everybody out who waits for the Hub', async (t) => {
  const { flusher, stop } = rig(t, { calls: 1 });
  await flusher.admit(0);
  const next = flusher.admit(0);
  assert.equal(await isOpen(next), false);
  stop.abort();
  await next;
  await flusher.admit(0);
});

test('fifty answers are worth a copy, long before the bound', async (t) => {
  const { flusher, copies, copying } = rig(t, {});
  await answer(flusher, 49);
  assert.equal(copies.length, 0);
  await answer(flusher, 1);
  await copying();
});

test('what a batch stands on is on the Hub before it is sent, however often the Hub fails', async (t) => {
  const { flusher, copies, copying } = rig(t, {});
  const taken = flusher.takeAlong();
  let isTaken = false;
  void taken.then(() => {
    isTaken = true;
  });
  await copying();
  copies[0]?.fail();
  await copying();
  assert.equal(isTaken, false);
  copies[1]?.land();
  await taken;
});
