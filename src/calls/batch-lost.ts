import type { ChatReply } from '../teachers/teacher.ts';
import type { BatchContext } from './batch.ts';
import type { Call } from './call.ts';
import { dollarsOf } from './estimate.ts';
import type { KnownCall } from './known-calls.ts';
import { NOT_STORED, reconciler } from './reconcile.ts';
import { doneRecord, failRecord } from './record.ts';
import type { Stop } from './shutdown.ts';

/**
 * Looks for the answer to a call that was sent and got lost, but not with a batch that is still waited for. The answer to a
 * live call may be in the server's store; any other call counts as perhaps paid twice.
 */
export function lostCalls(
  context: BatchContext,
): (call: Call, key: string, sent: KnownCall & { state: 'sent' }, stop: Stop) => Promise<ChatReply | undefined> {
  const { log, teacher, estimates, append, doubt, outage } = context;
  const reconcile = reconciler(context);

  return async (call, key, { attempt, batch, sentAt, est }, stop) => {
    const mayBeStored = batch === undefined && teacher.settleMs > 0 && (await log.sentTo(key)) === teacher.name;
    const reply = mayBeStored ? await reconcile(teacher, { model: call.model, key, sentAt, stop, outage }) : undefined;
    if (reply === undefined) {
      doubt({ key, attempt, est });
      return undefined;
    }
    if (reply === 'not stored') {
      await append(failRecord({ key, attempt }, NOT_STORED));
      return undefined;
    }
    const used = estimates.learn(call, reply);
    const usd = dollarsOf(used.billed, teacher.price);
    await append(doneRecord({ key, attempt }, reply, { ...used, usd, recovered: true }));
    return reply;
  };
}
