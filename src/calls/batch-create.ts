import type { ChatFailure, ServerBatch, ServerFile } from '../teachers/teacher.ts';
import { type Batch, type BatchContext, bear, forGood, insist, isGone } from './batch.ts';
import { fileNeverReady, unanswered } from './shutdown.ts';
import { pause } from './wait.ts';

/** Names of the metadata by which a batch is found again at the server. */
const FILE = 'zephyr_file';
const SHA = 'zephyr_batch';

const FIRST_LOOK_MS = 1000;
const LONGEST_LOOK_MS = 10_000;

/**
 * Creates the batch of a file that the server has, as soon as it has processed the file; sets the batch's id. Until then
 * nothing is uploaded again. Throws a temporary error for a file that is not processed in time: it stays, and is taken up later.
 */
export async function createFrom(context: BatchContext, batch: Batch, uploaded: ServerFile): Promise<void> {
  const { api, shutdown, over, note, retryPolicy, teacher } = context;
  const ended = AbortSignal.any([shutdown.signal, over]);
  const until = performance.now() + retryPolicy.fileMs;
  let file = uploaded;
  for (let wait = Math.min(FIRST_LOOK_MS, api.pollMs), looks = 0; ; wait = Math.min(api.pollMs, wait * 1.5), looks += 1) {
    shutdown.check();
    over.throwIfAborted();
    const isLate = performance.now() >= until;
    if (file.state === 'failed') return refusedFile(context, batch, file);
    // When the time is up the batch is created whatever the server says of the file: some servers say the same for ever.
    if ((file.state === 'ready' || isLate) && (await create(context, batch, file)) !== 'not ready') return;
    if (isLate) throw fileNeverReady(teacher, file.id, retryPolicy.fileMs);
    if (looks === 0) note(`"${teacher.name}" has not processed file ${file.id} yet: its batch is created once it has`);
    await pause(wait, ended);
    file = await look(context, file);
  }
}

/** What the server says of the file now. A server without a route for that is taken to have processed it. */
async function look(context: BatchContext, { id }: ServerFile): Promise<ServerFile> {
  const { api, shutdown, over } = context;
  shutdown.check();
  over.throwIfAborted();
  const said = await insist(context, () => api.file(id, shutdown.hard), isGone);
  return said.ok ? said.value : { id, state: 'ready', why: undefined };
}

/** Creates the batch. A request whose answer is lost is looked for before it is sent again, so nothing is created twice. */
async function create(context: BatchContext, batch: Batch, { id }: ServerFile): Promise<'done' | 'not ready'> {
  const { api, shutdown, outage } = context;
  for (let tries = 1; ; tries += 1) {
    const sentAt = performance.now();
    const said = await api.create(id, { [FILE]: batch.file, [SHA]: batch.sha }, shutdown.hard);
    if (said.ok) {
      outage.answered();
      if (said.value === undefined) return 'not ready';
      batch.id = said.value.id;
      return 'done';
    }
    const { failure } = said;
    // A gateway that says 5xx may have passed the request on.
    if (failure.status === undefined || failure.status >= 500) await lookUp(context, batch);
    if (batch.id !== undefined) return 'done';
    if (failure.kind !== 'again') {
      refused(context, batch, failure);
      return 'done';
    }
    await bear(context, failure, sentAt, tries);
    shutdown.check();
  }
}

/** The server does not take the file. It may have deleted that of an earlier process; that of this one it would refuse again. */
function refused({ shutdown, note, teacher }: BatchContext, batch: Batch, failure: ChatFailure): void {
  batch.upload = undefined;
  if (!batch.isAdopted) throw shutdown.stop(unanswered([{ teacher, failure: forGood(failure) }]));
  note(`"${teacher.name}" does not take the file that was sent before: ${failure.message}; it is sent again`);
}

function refusedFile(context: BatchContext, batch: Batch, { id, why }: ServerFile): void {
  const message = `file ${id} cannot be processed: ${why ?? 'no reason given'}`;
  refused(context, batch, { kind: 'stop', message, status: 400, afterMs: undefined });
}

/**
 * Looks for a batch in the server's list until it cannot turn up any more; sets its id. Of several it takes one that was not
 * refused. Returns whether the server has such a list.
 */
export async function lookUp(context: BatchContext, batch: Batch): Promise<boolean> {
  const { api, shutdown, retryPolicy, note } = context;
  const until = performance.now() + api.settleMs;
  for (let wait = retryPolicy.lookMs; ; wait = Math.min(wait * 1.5, Math.max(LONGEST_LOOK_MS, retryPolicy.lookMs))) {
    const isLast = performance.now() >= until;
    const said = await insist(context, () => api.find({ [FILE]: batch.file }, shutdown.hard), isGone);
    if (!said.ok) {
      note(`The server has no list of batches: nobody knows whether batch file ${batch.file} was worked on`);
      for (const member of batch.members.values()) context.doubt(member);
      return false;
    }
    const found = best(said.value);
    if (found !== undefined) {
      batch.id = found.id;
      batch.isRecovered = true;
      if (said.value.length > 1) note(`The server has ${said.value.length} batches of file ${batch.file}: ${found.id} is taken`);
      return true;
    }
    if (isLast) return true;
    await pause(Math.min(wait, until - performance.now()), shutdown.signal);
    shutdown.check();
  }
}

function best(found: readonly ServerBatch[]): ServerBatch | undefined {
  return found.find(({ status }) => status !== 'failed' && status !== 'cancelled') ?? found[0];
}
