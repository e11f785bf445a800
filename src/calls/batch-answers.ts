import type { BatchLine, ChatFailure, ChatReply, ServerBatch } from '../teachers/teacher.ts';
import { type Batch, type BatchContext, type BatchedCall, insist, isGone, mayBeBilled } from './batch.ts';
import { dollarsOf } from './estimate.ts';
import { doneRecord, failRecord } from './record.ts';
import { pause } from './wait.ts';

/** Times that a batch's files are read when they hold less than the server says. */
const READINGS = 3;

/** What was found in the files of a batch. */
interface ReadFiles {
  /** custom ids of calls that are not in the batch */
  readonly strangers: Set<string>;
  /** lines that cannot be read, in the last reading */
  unreadable: number;
  /** All is there that the server says it has answered. */
  isComplete: boolean;
}

/**
 * Reads the output and the error file of a batch that is over: each answer goes into the log, then to the caller that waits
 * for it. Lines may come in any order, twice, or for calls that were never made; only the custom id says whose an answer is.
 * What has no answer then has its reason in the log, and the batch its end.
 */
export async function collect(context: BatchContext, batch: Batch, over: ServerBatch): Promise<void> {
  const { shutdown, retryPolicy, api } = context;
  const files: ReadFiles = { strangers: new Set(), unreadable: 0, isComplete: false };
  let last = over;
  for (let reading = 1; ; reading += 1) {
    await readFiles(context, batch, last, files);
    if (files.isComplete || reading === READINGS) break;
    await pause(retryPolicy.lookMs, shutdown.signal);
    // A server may name a file only a moment after it says that the batch is over.
    const said = await insist(context, () => api.retrieve(last.id, shutdown.hard), isGone);
    if (said.ok) last = said.value;
  }
  noteMissing(context, batch, last, files);
  const missing = {
    kind: 'again',
    message: `batch ${last.id} is ${last.status} without it`,
    // A batch that is completed has answered all its calls, unless the server counts otherwise.
    status: last.status === 'completed' && last.answered === undefined ? undefined : 0,
    afterMs: undefined,
  } as const;
  for (const member of unanswered(batch)) {
    if (files.isComplete) member.failure ??= missing;
    if (mayBeBilled(member)) context.doubt(member);
  }
  await end(context, batch, last.status);
}

const unanswered = ({ members }: Batch) => [...members.values()].filter((member) => !member.answered);

async function readFiles(context: BatchContext, batch: Batch, last: ServerBatch, files: ReadFiles): Promise<void> {
  files.unreadable = 0;
  let areThere = true;
  for (const file of [last.outputFile, last.errorFile])
    if (file !== undefined && !(await readFile(context, batch, file, files))) areThere = false;
  const answered = batch.members.size - unanswered(batch).length;
  files.isComplete = areThere && answered >= (last.answered ?? 0) && files.unreadable === 0;
}

function noteMissing({ note }: BatchContext, batch: Batch, { id, status }: ServerBatch, files: ReadFiles): void {
  const { strangers, unreadable, isComplete } = files;
  if (strangers.size > 0) note(`Batch ${id} answers ${strangers.size} calls that are not in it: those answers are not taken`);
  const left = unanswered(batch);
  if (left.length > 0) note(`Batch ${id} is ${status} with ${left.length} of ${batch.members.size} calls not answered`);
  const count = left.filter(mayBeBilled).length;
  if (isComplete || count === 0) return;
  const lines = unreadable === 0 ? '' : ` (${unreadable} lines cannot be read)`;
  note(`The files of batch ${id} hold less than the server says${lines}: ${count} calls may be paid twice`);
}

/** Says whether the server has the file. */
async function readFile(context: BatchContext, batch: Batch, file: string, files: ReadFiles): Promise<boolean> {
  async function take(lines: readonly BatchLine[]): Promise<void> {
    await Promise.all(
      lines.map(async (line) => {
        const member = line.customId === undefined ? undefined : batch.members.get(line.customId);
        if (line.customId === undefined) files.unreadable += 1;
        else if (member === undefined) files.strangers.add(line.customId);
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
  const { key } = member;
  let taken = reply;
  // A process that died read this answer before, or a later attempt brought one: the first answer stays.
  if (log.known(key)?.state === 'done') taken = (await log.reply(key)) ?? reply;
  else {
    const used = usedBy(context, member, reply);
    await append(doneRecord(member, reply, { ...used, recovered: batch.isRecovered }));
    context.answered(used.input + used.output);
  }
  const { waiting } = member;
  member.waiting = undefined;
  waiting?.claim?.settled();
  waiting?.resolve({ ok: true, key, reply: taken, replayed: false });
}

/** Of a call that no session has asked for again since it was sent, only the dollars that were set aside are known. */
function usedBy({ estimates, price }: BatchContext, { waiting, est }: BatchedCall, reply: ChatReply) {
  if (waiting !== undefined) {
    const { billed, ...used } = estimates.learn(waiting.size, reply);
    return { ...used, usd: dollarsOf(billed, price) };
  }
  const { promptTokens: input = 0, completionTokens: output = 0 } = reply;
  const isSaid = reply.promptTokens !== undefined && reply.completionTokens !== undefined;
  return { input, output, usd: isSaid ? dollarsOf({ input, output }, price) : est };
}

/** Writes why the calls without an answer have none, then the end of the batch. A call without a reason may have been billed. */
export async function end({ append, log, teacher }: BatchContext, batch: Batch, status: string): Promise<void> {
  await Promise.all(
    [...batch.members.values()].map(async (member) => {
      const { key, answered, failure } = member;
      if (answered || failure?.status === undefined || log.known(key)?.state === 'done') return;
      await append(failRecord(member, failure));
    }),
  );
  const at = Date.now();
  await append({ t: 'batch', state: 'ended', b: batch.sha, teacher: teacher.name, at, id: batch.id ?? '', status });
}

/** Codes by which a server says of a line that no line of this recipe will do. */
const STOPPING = /model_not_found|permission|access|billing|quota/i;

/** The server refused the batch as a whole, so none of its calls costs anything: says so, and of which calls it complained. */
export async function refused(context: BatchContext, batch: Batch, last: ServerBatch): Promise<void> {
  const members = [...batch.members.values()];
  for (const { code, message, line } of last.errors) {
    // This process did not write the file of an adopted batch, so it knows the lines by name and not by number.
    const member = line === undefined || batch.isAdopted ? undefined : members[line - 1];
    if (member === undefined) continue;
    const kind = STOPPING.test(code) ? 'stop' : 'refused';
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
