import { rm } from 'node:fs/promises';
import type { ServerBatch } from '../teachers/teacher.ts';
import { type Batch, type BatchFloor, forGood, insist, isGone } from './batch.ts';
import type { RequestFile } from './batch-file.ts';
import { unanswered } from './halt.ts';
import { backoffMs, pause } from './wait.ts';

/** Under these names the server keeps what a batch is found again by. */
const FILE = 'zephyr_file';
const SHA = 'zephyr_batch';

const LONGEST_LOOK_MS = 10_000;

/**
 * Plan and intents on disk, upload, create, the server's name for it on disk. Whatever breaks off in between, the plan is
 * looked for at the server before anything is sent again; a file that was uploaded twice costs nothing.
 */
export async function submit(floor: BatchFloor, batch: Batch, file: RequestFile): Promise<void> {
  const { api, halt, teacher } = floor;
  let mayExist = false;
  let path: string | undefined;
  try {
    await plan(floor, batch);
    await floor.takeAlong();
    halt.check();
    path = await file.write();
    const uploading = path;
    const uploaded = await insist(floor, () => api.upload(uploading, file.name, halt.hard));
    if (!uploaded.ok) throw new Error('unreachable');
    for (let tries = 1; batch.id === undefined; tries += 1) {
      halt.check();
      mayExist = true;
      const created = await api.create(uploaded.value, { [FILE]: file.name, [SHA]: batch.sha }, halt.hard);
      if (created.ok) batch.id = created.value.id;
      else {
        const { failure } = created;
        // A gateway that says 5xx may have passed the request on.
        const isUnclear = failure.status === undefined || failure.status >= 500;
        if (isUnclear) await lookUp(floor, batch);
        if (batch.id !== undefined) break;
        mayExist = false;
        if (failure.kind !== 'again' || tries >= floor.patience.attempts)
          throw halt.stop(unanswered([{ teacher, failure: forGood(failure) }]));
        const { baseMs, capMs } = floor.patience;
        await pause(failure.afterMs ?? backoffMs(tries, baseMs, capMs, Math.random()), halt.signal);
      }
    }
    await opened(floor, batch);
  } catch (error) {
    if (!mayExist) await disown(floor, batch);
    throw error;
  } finally {
    if (path !== undefined) await rm(path, { force: true });
  }
}

async function opened({ append, teacher }: BatchFloor, { sha, id }: Batch): Promise<void> {
  if (id !== undefined) await append({ t: 'batch', state: 'open', b: sha, teacher: teacher.name, at: Date.now(), id });
}

/** Looks for a batch that a process which is gone had planned. */
export async function findAgain(floor: BatchFloor, batch: Batch): Promise<void> {
  await lookUp(floor, batch);
  await opened(floor, batch);
}

/** The plan goes first: an intent without its plan would look like money that may be lost. */
async function plan({ append, teacher }: BatchFloor, { sha, file, members }: Batch): Promise<void> {
  const at = Date.now();
  const planned = append({ t: 'batch', state: 'planned', b: sha, teacher: teacher.name, at, keys: members.size, file });
  const intents = [...members.values()].map(({ key: k, attempt: a, est, waiting }) =>
    append({ t: 'intent', k, a, at, est, b: sha, model: waiting?.model ?? '', teacher: teacher.name }),
  );
  await Promise.all([planned, ...intents]);
  for (const { waiting } of members.values()) waiting?.claim?.logged();
}

/**
 * Looks for a batch in the server's list until it cannot turn up any more; sets its id. Of several, one that was not
 * refused.
 */
async function lookUp(floor: BatchFloor, batch: Batch): Promise<void> {
  const { api, halt, patience, note } = floor;
  const until = performance.now() + api.settleMs;
  for (let wait = patience.lookMs; ; wait = Math.min(wait * 1.5, Math.max(LONGEST_LOOK_MS, patience.lookMs))) {
    const isLast = performance.now() >= until;
    const said = await insist(floor, () => api.find({ [FILE]: batch.file }, halt.hard), isGone);
    if (!said.ok) {
      note(`The server has no list of batches: nobody knows whether batch file ${batch.file} was worked on`);
      for (const member of batch.members.values()) floor.doubt(member);
      return;
    }
    const found = best(said.value);
    if (found !== undefined) {
      batch.id = found.id;
      batch.isRecovered = true;
      if (said.value.length > 1) note(`The server has ${said.value.length} batches of file ${batch.file}: ${found.id} is taken`);
      return;
    }
    if (isLast) return;
    await pause(Math.min(wait, until - performance.now()), halt.signal);
    halt.check();
  }
}

function best(found: readonly ServerBatch[]): ServerBatch | undefined {
  return found.find(({ status }) => status !== 'failed' && status !== 'cancelled') ?? found[0];
}

/** The batch is not at the server and never was: its calls cost nothing. Its end goes last. */
export async function disown({ append, teacher }: BatchFloor, { sha, members }: Batch): Promise<void> {
  const message = 'the batch was not created';
  await Promise.all(
    [...members.values()].map(({ key: k, attempt: a }) => append({ t: 'fail', k, a, kind: 'again', status: 0, message })),
  );
  await append({ t: 'batch', state: 'ended', b: sha, teacher: teacher.name, at: Date.now(), id: '', status: 'not created' });
}
