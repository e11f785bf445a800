// What a large call log costs: `node test/bench/aif/replay.mjs [CALLS]` writes a log of so many calls, each with its intent and
// a raw reply of 1.2 kB, opens it in a fresh process, reads replies from it, and appends to an empty one with a durable write
// before each answer. Times, memory and rates; figures to read, not a test.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCallLog } from '../../../src/calls/call-log.ts';
import { encodeRecord } from '../../../src/calls/record.ts';

const AT_ONCE = 64;
const SEGMENT_BYTES = 16 << 20;
const program = fileURLToPath(import.meta.url);

const keyOf = (n) => createHash('sha256').update(String(n)).digest('hex');
const intent = (n) => ({
  t: 'intent',
  k: keyOf(n),
  a: 1,
  at: Date.now(),
  est: 0.00123,
  model: 'gpt-4o-mini',
  teacher: 'judge at x',
});
const done = (n) => ({
  t: 'done',
  k: keyOf(n),
  a: 1,
  usd: 0.000_987 + n / 1e9,
  in: 512 + (n % 97),
  out: 180,
  recovered: false,
  rid: `req_${n}`,
  raw: reply(n),
});

/** A chat completion of 1.2 kB, as a judge gives it. */
function reply(n) {
  const content = JSON.stringify({ rationale: 'The answer "follows" most of what was asked – '.repeat(16), rating: (n % 5) + 1 });
  return {
    id: `chatcmpl-${n}`,
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'gpt-4o-mini-2024-07-18',
    choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: 512 + (n % 97), completion_tokens: 180, total_tokens: 692 + (n % 97) },
    system_fingerprint: 'fp_0123456789',
  };
}

if (process.argv[2] === 'open') await openIt(process.argv[3], Number(process.argv[4]));
else if (process.argv[2] === 'append') await appendTo(process.argv[3], Number(process.argv[4]));
else bench(Number(process.argv[2] ?? 100_000));

function bench(calls) {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-replay-'));
  try {
    const log = join(folder, 'log');
    writeLog(log, calls);
    const bytes = readdirSync(log).reduce((sum, name) => sum + statSync(join(log, name)).size, 0);
    console.log(
      `${calls} calls, ${2 * calls} records, ${(bytes / 1e6).toFixed(0)} MB, raw replies of ${JSON.stringify(reply(calls)).length} B`,
    );
    const opened = inFreshProcess('open', log, calls);
    show('start-up', `${opened.seconds.toFixed(2)} s (${opened.cpuSeconds.toFixed(2)} s of processor time)`);
    show('replayed', `${Math.round((2 * calls) / opened.seconds)} records/s`);
    show('memory', `${mega(opened.rss)} MB after start-up, ${mega(opened.bare)} MB before, ${mega(opened.most)} MB at most`);
    show('replies read', `${Math.round(opened.readsPerSecond)} /s, ${AT_ONCE} at once in random order`);
    const appended = inFreshProcess('append', join(folder, 'fresh'), Math.min(calls, 50_000));
    show(
      'appended',
      `${Math.round(appended.perSecond)} records/s, ${AT_ONCE} calls at once, each record durable before the next`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function show(name, figures) {
  console.log(`${name.padEnd(14)}${figures}`);
}
function mega(bytes) {
  return (bytes / 1e6).toFixed(0);
}

function inFreshProcess(...args) {
  const ended = spawnSync(process.execPath, [program, ...args.map(String)], { encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`${args[0]} ended with ${ended.status}: ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}

/** As the log writes it, but without waiting for the disk. */
function writeLog(folder, calls) {
  mkdirSync(folder);
  for (let n = 0, segment = 1; n < calls; segment += 1) {
    const lines = [];
    for (let size = 0; size < SEGMENT_BYTES && n < calls; n += 1) {
      const both = [encodeRecord(intent(n)), encodeRecord(done(n))];
      lines.push(...both);
      size += both[0].length + both[1].length;
    }
    const file = openSync(join(folder, `calls-${String(segment).padStart(6, '0')}-00.jsonl`), 'wx');
    writeSync(file, Buffer.concat(lines));
    closeSync(file);
  }
}

async function openIt(folder, calls) {
  const bare = process.memoryUsage.rss();
  const before = process.cpuUsage();
  const started = performance.now();
  const log = await openCallLog(folder);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  const rss = process.memoryUsage.rss();
  if (log.totals.done !== calls || log.totals.damaged !== 0) throw new Error(`${log.totals.done} of ${calls} calls came back`);

  const reads = 20_000;
  const readStarted = performance.now();
  await many(reads, async (turn) => {
    const n = (turn * 7919) % calls;
    const found = await log.reply(keyOf(n));
    if (found?.raw.id !== `chatcmpl-${n}`) throw new Error(`call ${n} has the reply ${found?.raw.id}`);
  });
  const readsPerSecond = reads / ((performance.now() - readStarted) / 1000);
  await log.close();
  const most = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, bare, rss, most, readsPerSecond }));
}

async function appendTo(folder, calls) {
  const log = await openCallLog(folder);
  const started = performance.now();
  await many(calls, async (n) => {
    await log.append(intent(n));
    await log.append(done(n));
  });
  const perSecond = (2 * calls) / ((performance.now() - started) / 1000);
  await log.close();
  process.stdout.write(JSON.stringify({ perSecond }));
}

/** `work(0)` to `work(count - 1)`, AT_ONCE of them at a time. */
async function many(count, work) {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++);
    }),
  );
}
