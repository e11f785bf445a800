import type { BatchLine, ChatFailure, ChatReply, ServerBatch } from '../teachers/teacher.ts';
import { type Batch, type BatchContext, type BatchedCall, insist, isGone, mayBeBilled } from './batch.ts';
import { dollarsOf } from './estimate.ts';
import { pause } from './wait.ts';

/** Times that a batch's files are read when they hold less than the server says. */
const READINGS = 3;

/**
 * Reads the output and the error file of a batch that is over: each answer goes into the log, then to whoever waits for
 * it. Lines may come in any order, twice, or for calls that nobody made; only the custom id says whose an answer is. What
 * has no answer then has its reason in the log, and the batch its end.
 */
export async function collect(context: BatchContext, batch: Batch, over: ServerBatch): Promise<void> {
  const { note, shutdown, retryPolicy } = context;
  let last = over;
  const tally = { strangers: new Set<string>(), unreadable: 0 };
  let isComplete = true;
  for (let reading = 1; ; reading += 1) {
    tally.unreadable = 0;
    isComplete = true;
    for (const file of [last.outputFile, last.errorFile]) {
      if (file !== undefined && !(await readFile(context, batch, file, tally))) isComplete = false;
    }
    const answered = [...batch.members.values()].filter((member) => member.answered).length;
    isComplete &&= answered >= (last.answered ?? 0) && tally.unreadable === 0;
    if (isComplete || reading === READINGS) break;
    await pause(retryPolicy.lookMs, shutdown.signal);
    // A server may name a file only a moment after it says that the batch is over.
    const said = await insist(context, () => context.api.retrieve(last.id, shutdown.hard), isGone);
    if (said.ok) last = said.value;
  }
  if (tally.strangers.size > 0)
    note(`Batch ${last.id} answers ${tally.strangers.size} calls that are not in it: those answers are not taken`);
  const left = [...batch.members.values()].filter((member) => !member.answered);
  if (left.length > 0) note(`Batch ${last.id} is ${last.status} with ${left.length} of ${batch.members.size} calls not answered`);
  if (!isComplete && left.some(mayBeBilled)) {
    const count = left.filter(mayBeBilled).length;
    const lines = tally.unreadable === 0 ? '' : ` (${tally.unreadable} lines cannot be read)`;
    note(`The files of batch ${last.id} hold less than the server says${lines}: ${count} calls may be paid twice`);
  }
  const missing = {
    kind: 'again',
    message: `batch ${last.id} is ${last.status} without it`,
    // One that is completed has answered all, unless the server counts otherwise.
    status: last.status === 'completed' && last.answered === undefined ? undefined : 0,
    afterMs: undefined,
  } as const;
  for (const member of left) {
    if (isComplete) member.failure ??= missing;
    if (mayBeBilled(member)) context.doubt(member);
  }
  await end(context, batch, last.status);
}

/** Whether the file is there. */
async function readFile(
  context: BatchContext,
  batch: Batch,
  file: string,
  tally: { readonly strangers: Set<string>; unreadable: number },
): Promise<boolean> {
  async function take(lines: readonly BatchLine[]): Promise<void> {
    await Promise.all(
      lines.map(async (line) => {
        const member = line.customId === undefined ? undefined : batch.members.get(line.customId);
        if (line.customId === undefined) tally.unreadable += 1;
        else if (member === undefined) tally.strangers.add(line.customId);
        else if (!line.answer.ok) member.failure ??= line.answer.failure;
        else if (!member.answered) {
          member.answered = true;
          await record(context, batch, member, line.answer.reply);
        }
      }),
    );
  }
  const said = await insist(context, () => context.api.read(file, take, context.shutdown.hard), isGone);
  if (!said.ok) context.note(`The server does not have file ${file} of batch ${batch.id} any more: ${said.failure.message}`);
  return said.ok;
}

async function record(context: BatchContext, batch: Batch, member: BatchedCall, reply: ChatReply): Promise<void> {
  const { log, append } = context;
  const { key, attempt } = member;
  let taken = reply;
  // Read before, by a process that died over it, or answered by a later attempt: the first answer stays the answer.
  if (log.known(key)?.state === 'done') taken = (await log.reply(key)) ?? reply;
  else {
    const used = usedBy(context, member, reply);
    await append({
      t: 'done',
      k: key,
      a: attempt,
      usd: used.usd,
      in: used.input,
      out: used.output,
      recovered: batch.isRecovered,
      rid: reply.requestId ?? null,
      raw: reply.raw,
    });
    context.answered(used.input + used.output);
  }
  const { waiting } = member;
  member.waiting = undefined;
  waiting?.claim?.settled();
  waiting?.resolve({ ok: true, key, reply: taken, replayed: false });
}

/** Of a call that nobody has asked for again since it was sent only what was set aside for it is known. */
function usedBy({ estimates, price }: BatchContext, { waiting, est }: BatchedCall, reply: ChatReply) {
  if (waiting !== undefined) {
    const { billed, ...used } = estimates.learn(waiting.size, reply);
    return { ...used, usd: dollarsOf(billed, price) };
  }
  const { promptTokens: input = 0, completionTokens: output = 0 } = reply;
  const isSaid = reply.promptTokens !== undefined && reply.completionTokens !== undefined;
  return { input, output, usd: isSaid ? dollarsOf({ input, output }, price) : est };
}

/** Why the calls without an answer have none, then the end of the batch. Without a reason nobody knows what they cost. */
export async function end({ append, log, teacher }: BatchContext, batch: Batch, status: string): Promise<void> {
  await Promise.all(
    [...batch.members.values()].map(async ({ key: k, attempt: a, answered, failure }) => {
      if (answered || failure?.status === undefined || log.known(k)?.state === 'done') return;
      await append({ t: 'fail', k, a, kind: failure.kind, status: failure.status, message: failure.message });
    }),
  );
  const at = Date.now();
  await append({ t: 'batch', state: 'ended', b: batch.sha, teacher: teacher.name, at, id: batch.id ?? '', status });
}

/** Codes by which a server says of a line that no line of this recipe will do. */
const HOPELESS = /model_not_found|permission|access|billing|quota/i;

/** The server refused the batch as a whole, so none of its calls costs anything: says so, and of which calls it complained. */
export async function refused(context: BatchContext, batch: Batch, last: ServerBatch): Promise<void> {
  const members = [...batch.members.values()];
  for (const { code, message, line } of last.errors) {
    // The lines of an adopted batch are known by name, not by number.
    const member = line === undefined || batch.isAdopted ? undefined : members[line - 1];
    if (member === undefined) continue;
    const kind = HOPELESS.test(code) ? 'stop' : 'refused';
    member.failure = { kind, message: `${code}: ${message}`, status: 400, afterMs: undefined };
  }
  const message = `batch ${last.id} was refused: ${reasonOf(last)}`;
  const others: ChatFailure = { kind: 'again', message, status: 0, afterMs: undefined };
  for (const member of members) member.failure ??= others;
  await end(context, batch, last.status);
}

export function reasonOf({ errors }: ServerBatch): string {
  const told = errors
    .slice(0, 3)
    .map(({ code, message, line }) => `${code}: ${message}${line === undefined ? '' : ` (line ${line})`}`);
  const more = errors.length > 3 ? `; and ${errors.length - 3} more` : '';
  return told.length === 0 ? 'no reason given' : `${told.join('; ')}${more}`;
}
