import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call, CallOutcome } from '../../src/calls/call.ts';
import { openSession, type SessionOptions, type SessionSummary } from '../../src/calls/session.ts';
import type { PracticeServer } from '../../src/practice/server.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import type { BatchApi, Teacher } from '../../src/teachers/teacher.ts';
import { startFaultyPractice } from './faulty-practice.ts';

const PRICE = { input: 1, output: 10, batch: 0.5, date: '2026-01-01', source: 'made up' };
const CALL_RETRY_POLICY = {
  attempts: 4,
  baseMs: 2,
  capMs: 20,
  awayMs: 500,
  unseenMs: 500,
  breakMostMs: 20,
  lookMs: 20,
  gatherMs: 20,
};

export function batchTeacher(
  baseUrl: string,
  batch: Partial<NonNullable<TeacherSpec['batch']>> | undefined,
  settleMs = 100,
  store = false,
) {
  const spec = teacherSpec.parse({
    provider: 'openai',
    model: 'practice-direct',
    baseUrl,
    timeoutSeconds: 20,
    price: PRICE,
    store,
    ...(batch === undefined ? {} : { batch: { requests: 10, pollSeconds: 0.01, ...batch } }),
  });
  const teacher = openTeacher(spec, 'key');
  return teacher.batch === undefined ? teacher : { ...teacher, batch: { ...teacher.batch, settleMs } };
}

/** The teacher with some of what it does with batches done otherwise. */
export function withBatches(teacher: Teacher, change: (batch: BatchApi) => Partial<BatchApi>): Teacher {
  const { batch } = teacher;
  assert.ok(batch !== undefined);
  return { ...teacher, batch: { ...batch, ...change(batch) } };
}

export const calls = (count: number): Call[] =>
  Array.from({ length: count }, (_, n) => ({
    teacher: 't',
    purpose: 'test',
    model: 'practice-direct',
    messages: [{ role: 'user', content: `Sort these words: pear${n}, apple${n}` }],
    sampling: { temperature: 0, top_p: 1, max_tokens: 40, seed: n },
  }));

export interface Asked {
  readonly outcomes: CallOutcome[];
  readonly texts: (string | undefined)[];
  readonly summary: SessionSummary;
  readonly notes: string[];
}

/** Asks all calls at once, in a session of its own. */
export async function askAll(
  options: Partial<SessionOptions> & Pick<SessionOptions, 'callLog' | 'teacher'>,
  list: Call[],
): Promise<Asked> {
  const notes: string[] = [];
  const session = await openSession({
    signal: new AbortController().signal,
    note: (message) => notes.push(message),
    drainMs: 1000,
    ...options,
    retryPolicy: { ...CALL_RETRY_POLICY, ...options.retryPolicy },
  });
  try {
    const all = await Promise.allSettled(list.map((call) => session.ask(call)));
    const broken = all.find((each) => each.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    const outcomes = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    return {
      outcomes,
      texts: outcomes.map((each) => (each.ok ? each.reply.text : undefined)),
      summary: session.summary(),
      notes,
    };
  } finally {
    await session.close();
  }
}

export interface Place {
  readonly root: string;
  readonly callLog: string;
  readonly server: PracticeServer;
  /** keys of the answered calls, as the server has logged them */
  readonly answeredKeys: () => Promise<string[]>;
}

/** Runs `use` beside a practice server whose batches go as the rules say. */
export async function withPractice(batches: string, use: (place: Place) => Promise<void>, faults = ''): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'zephyr-batch-'));
  const log = join(root, 'practice.jsonl');
  const server = await startFaultyPractice({ seed: 1, log, batches, faults });
  try {
    await use({
      root,
      callLog: join(root, 'journal'),
      server,
      answeredKeys: async () =>
        (await readFile(log, 'utf8'))
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { key: string }).key),
    });
  } finally {
    await server.close();
    await rm(root, { recursive: true });
  }
}
