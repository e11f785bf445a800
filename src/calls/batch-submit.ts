import { rm } from 'node:fs/promises';
import { type Batch, type BatchContext, insist } from './batch.ts';
import { createFrom, lookUp } from './batch-create.ts';
import type { RequestFile } from './batch-file.ts';
import type { Claim } from './budget.ts';
import { failRecord } from './record.ts';

/**
 * Sends a file of calls: plan and intents on disk, upload, the server's name for the file on disk, create, its name for the
 * batch on disk. Wherever that breaks off, the plan is looked for at the server before anything is sent again.
 */
export async function submit(context: BatchContext, batch: Batch, file: RequestFile): Promise<void> {
  const { api, append, shutdown, teacher } = context;
  let path: string | undefined;
  try {
    await plan(context, batch);
    await context.takeAlong();
    await context.sure();
    shutdown.check();
    path = await file.write();
    const uploading = path;
    const uploaded = await insist(context, () => api.upload(uploading, file.name, shutdown.hard));
    if (!uploaded.ok) throw new Error('unreachable');
    batch.upload = uploaded.value.id;
    await append({ t: 'batch', state: 'uploaded', b: batch.sha, teacher: teacher.name, at: Date.now(), upload: batch.upload });
    await createFrom(context, batch, uploaded.value);
    await opened(context, batch);
  } catch (error) {
    // If an earlier process has uploaded the file, the batch goes on from there.
    if (batch.upload === undefined) await disown(context, batch);
    throw error;
  } finally {
    if (path !== undefined) await rm(path, { force: true });
  }
}

async function opened({ append, teacher }: BatchContext, { sha, id }: Batch): Promise<void> {
  if (id !== undefined) await append({ t: 'batch', state: 'open', b: sha, teacher: teacher.name, at: Date.now(), id });
}

/**
 * Looks for a batch that an earlier process had planned. A batch that is not at the server, though its file is, is created
 * once the session asks for one of its calls, which may not be wanted any more; its `claim` is settled until then.
 */
export async function findAgain(context: BatchContext, batch: Batch, claim: Promise<Claim | undefined>): Promise<void> {
  const isKnown = await lookUp(context, batch);
  if (batch.id === undefined && isKnown && batch.upload !== undefined) {
    (await claim)?.settled();
    await isWanted(context, batch);
    await createFrom(context, batch, { id: batch.upload, state: 'ready', why: undefined });
  }
  await opened(context, batch);
}

/** Resolves when a call of the batch is asked for; throws when none will be. */
async function isWanted({ shutdown, over }: BatchContext, { wanted }: Batch): Promise<void> {
  const ended = AbortSignal.any([shutdown.signal, over]);
  const { promise, resolve } = Promise.withResolvers<void>();
  ended.addEventListener('abort', () => resolve(), { once: true });
  if (!ended.aborted) await Promise.race([wanted.promise, promise]);
  shutdown.check();
  over.throwIfAborted();
}

/** The plan goes first: an intent without its plan would look like money that may be lost. */
async function plan({ append, teacher }: BatchContext, { sha, file, members }: Batch): Promise<void> {
  const at = Date.now();
  const planned = append({ t: 'batch', state: 'planned', b: sha, teacher: teacher.name, at, keys: members.size, file });
  const intents = [...members.values()].map(({ key: k, attempt: a, est, waiting }) =>
    append({ t: 'intent', k, a, at, est, b: sha, model: waiting?.model ?? '', teacher: teacher.name }),
  );
  await Promise.all([planned, ...intents]);
  for (const { waiting } of members.values()) waiting?.claim?.logged();
}

/** Writes that the batch never was at the server, so that its calls cost nothing; its end last. */
export async function disown({ append, teacher }: BatchContext, { sha, members }: Batch): Promise<void> {
  const failure = { kind: 'again', status: 0, message: 'the batch was not created' } as const;
  await Promise.all([...members.values()].map((member) => append(failRecord(member, failure))));
  await append({ t: 'batch', state: 'ended', b: sha, teacher: teacher.name, at: Date.now(), id: '', status: 'not created' });
}
