import type { Batch, BatchContext } from './batch.ts';
import { collect, end, reasonOf, refused } from './batch-answers.ts';
import { follow } from './batch-follow.ts';
import { disown } from './batch-submit.ts';

/**
 * How a batch ended; what each of its calls came to is in the log and in the batch. `never`: it was not created. `gone`:
 * the server does not know it any more. `refused`: as a whole. `full`: for now, because too many tokens wait already.
 */
export type BatchEnd =
  | { readonly end: 'read' | 'never' | 'gone' }
  | { readonly end: 'refused' | 'full'; readonly reason: string };

/** Takes a batch to its end. `begin` gives it its id, if it is to have one. Throws what stopped the session. */
export async function runBatch(context: BatchContext, batch: Batch, begin: () => Promise<void>): Promise<BatchEnd> {
  await begin();
  if (batch.id === undefined) {
    await disown(context, batch);
    return { end: 'never' };
  }
  const last = await follow(context, batch.id);
  if (last === undefined) {
    context.note(
      `"${context.teacher.name}" does not know batch ${batch.id} any more: its ${batch.members.size} calls may be paid twice`,
    );
    for (const member of batch.members.values()) context.doubt(member);
    await end(context, batch, 'unknown to the server');
    return { end: 'gone' };
  }
  // OpenAI's batches fail before any of their calls is answered, others' also half-way.
  if (last.status !== 'failed' || last.outputFile !== undefined || (last.answered ?? 0) > 0) {
    await collect(context, batch, last);
    return { end: 'read' };
  }
  await refused(context, batch, last);
  const reason = `Batch ${last.id} was refused: ${reasonOf(last)}`;
  if (last.errors.some(({ code }) => code === 'token_limit_exceeded')) return { end: 'full', reason };
  context.note(reason);
  return { end: 'refused', reason };
}
