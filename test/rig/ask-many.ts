/** A process to be killed: asks COUNT questions at URL with the call log FOLDER, as a step would: URL FOLDER COUNT store [AT_ONCE]. */
import { runCalls, withSession } from '../../src/calls/run-calls.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';

const [url, callLog, count, store, atOnce = '16'] = process.argv.slice(2) as [string, string, string, string, string?];
const spec = teacherSpec.parse({
  provider: 'openai',
  model: 'm',
  baseUrl: url,
  concurrency: Number(atOnce),
  timeoutSeconds: 20,
  store: store === 'store',
});
const opened = openTeacher(spec, 'key');
const calls = Array.from({ length: Number(count) }, (_, n) => ({
  teacher: 't',
  purpose: 'kill me',
  model: 'm',
  messages: [{ role: 'user' as const, content: `q${n}` }],
  sampling: { temperature: 0, top_p: 1, max_tokens: 8 },
}));
const options = {
  callLog,
  teacher: () => Promise.resolve([{ ...opened, settleMs: Math.min(opened.settleMs, 2000) }]),
  signal: new AbortController().signal,
  retryPolicy: { lookMs: 50 },
};
const answers: string[] = [];
const summary = await withSession(options, async (session) => {
  await runCalls(session, calls, (_, outcome) => void (outcome.ok && answers.push(outcome.reply.text)));
  return session.summary();
});
process.stdout.write(JSON.stringify({ ...summary, answers: answers.sort() }));
