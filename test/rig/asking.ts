import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call } from '../../src/calls/call.ts';
import { runCalls } from '../../src/calls/run-calls.ts';
import type { CallSession, SessionOptions } from '../../src/calls/session.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import { type Asked, type ChatServer, type Doing, startChatServer } from './chat-server.ts';

const CALL_RETRY_POLICY = {
  attempts: 4,
  callMs: 60_000,
  baseMs: 2,
  capMs: 20,
  awayMs: 200,
  unseenMs: 200,
  silenceMs: 200,
  busyMs: 5,
  breakMs: 5,
  breakMostMs: 20,
  lookMs: 20,
};

export const call = (question: string): Call => ({
  teacher: 't',
  purpose: 'test',
  model: 'm',
  messages: [{ role: 'user', content: question }],
  sampling: { temperature: 0, top_p: 1, max_tokens: 8 },
});
export const calls = (count: number) => Array.from({ length: count }, (_, n) => call(`q${n}`));

/** Runs `use` with options for a session whose teacher is a scripted server. */
export async function withServer(
  script: (asked: Asked) => Doing,
  use: (server: ChatServer, options: SessionOptions) => Promise<void>,
  spec: Partial<TeacherSpec> = {},
): Promise<void> {
  const server = await startChatServer(script);
  try {
    const options = await optionsFor(server, spec);
    await use(server, options);
    await rm(options.callLog, { recursive: true, force: true });
  } finally {
    await server.close();
  }
}
export async function optionsFor(server: ChatServer, spec: Partial<TeacherSpec> = {}): Promise<SessionOptions> {
  const opened = openTeacher(
    teacherSpec.parse({ provider: 'openai', model: 'm', baseUrl: server.url, concurrency: 4, timeoutSeconds: 20, ...spec }),
    'key',
  );
  // it stores an answer before it sends it: what is not there at the first look never will be
  const teacher = { ...opened, settleMs: Math.min(opened.settleMs, 300) };
  return {
    callLog: await mkdtemp(join(tmpdir(), 'zephyr-calls-')),
    teacher: () => Promise.resolve([teacher]),
    signal: new AbortController().signal,
    retryPolicy: CALL_RETRY_POLICY,
    drainMs: 20_000,
  };
}
/** The texts by question; of a call without an answer, its failure. */
export async function askAll(session: CallSession, list: Iterable<Call>): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  await runCalls(
    session,
    list,
    (asked, outcome) =>
      void texts.set(
        asked.messages[0]?.content ?? '',
        outcome.ok ? outcome.reply.text : `${outcome.failure.kind} ${outcome.failure.status}`,
      ),
  );
  return texts;
}
