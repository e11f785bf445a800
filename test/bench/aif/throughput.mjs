// How fast one process asks: `node test/bench/aif/throughput.mjs [SECONDS]` asks a load server in a process of its own through
// the whole engine (keys, log with its fsyncs, admission), through each transport and with so many calls in flight, for so many
// seconds each. `engine` is the engine alone, with a teacher in the process that answers after 100 ms. The first second is
// left out of the rate. Figures to read, not a test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runCalls, withSession } from '../../../src/calls/run-calls.ts';
import { openTeacher } from '../../../src/teachers/registry.ts';
import { teacherSpec } from '../../../src/teachers/spec.ts';
import { startServer } from './processes.mjs';

const LATENCY_MS = 100;
const PROVIDERS = ['openai', 'self-hosted', 'engine'];
const IN_FLIGHT = [64, 256, 1024];
/** A judge's prompt of 6.4 kB. */
const PROMPT = 'Rate how well each of the four texts below follows its instruction, from 1 to 5. '.repeat(78);

if (process.argv[2] === 'ask') await ask(...process.argv.slice(3));
else await bench(Number(process.argv[2] ?? 10));

async function bench(seconds) {
  const rig = (name) => fileURLToPath(new URL(`../../rig/${name}`, import.meta.url));
  const server = await startServer(rig('load-server.ts'), ['--latencyMs', String(LATENCY_MS)]);
  try {
    console.log(`${LATENCY_MS} ms latency, ${PROMPT.length} characters a prompt, ${seconds} s each`);
    console.log('provider     in flight    calls/s   CPU ms/call   cores   RSS MB   possible calls/s');
    for (const provider of PROVIDERS)
      for (const inFlight of IN_FLIGHT) {
        const program = fileURLToPath(import.meta.url);
        const child = spawnSync(process.execPath, [program, 'ask', provider, inFlight, seconds, server.url].map(String), {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const { perSecond, cpuMs, cores, rss } = JSON.parse(child.stdout);
        const columns = [perSecond.toFixed(0), cpuMs.toFixed(3), cores.toFixed(2), rss.toFixed(0), (1000 / cpuMs).toFixed(0)];
        const widths = [11, 14, 8, 9, 19];
        console.log(
          provider.padEnd(12) + String(inFlight).padStart(10) + columns.map((each, n) => each.padStart(widths[n])).join(''),
        );
      }
  } finally {
    await server.stop();
  }
}

async function ask(provider, inFlight, seconds, url) {
  const callLog = mkdtempSync(join(tmpdir(), 'zephyr-throughput-'));
  const teacher =
    provider === 'engine'
      ? inProcess(Number(inFlight))
      : openTeacher(
          teacherSpec.parse({ provider, model: 'm', baseUrl: url, concurrency: Number(inFlight), price: undefined }),
          'key',
        );
  const until = performance.now() + Number(seconds) * 1000;
  function* calls() {
    for (let n = 0; performance.now() < until; n += 1)
      yield {
        teacher: 't',
        purpose: 'judge honesty',
        model: 'm',
        messages: [
          { role: 'system', content: 'You are a careful judge.' },
          { role: 'user', content: `${PROMPT} ${n}` },
        ],
        sampling: { temperature: 0, top_p: 1, max_tokens: 300 },
      };
  }
  const options = { callLog, teacher: () => Promise.resolve([teacher]), signal: new AbortController().signal };
  let answered = 0;
  let from;
  let to;
  try {
    await withSession(options, async (session) => {
      const warm = sleep(1000).then(() => (from = { at: performance.now(), cpu: process.cpuUsage(), answered }));
      await runCalls(session, calls(), (_, { ok }) => {
        if (!ok) throw new Error('a call failed');
        answered += 1;
        if (performance.now() < until) to = { at: performance.now(), cpu: process.cpuUsage(), answered };
      });
      await warm;
    });
  } finally {
    rmSync(callLog, { recursive: true });
  }
  const count = to.answered - from.answered;
  const cpuMs = (to.cpu.user + to.cpu.system - from.cpu.user - from.cpu.system) / 1000;
  const ms = to.at - from.at;
  const rss = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ perSecond: (count / ms) * 1000, cpuMs: cpuMs / count, cores: cpuMs / ms, rss }));
}

function inProcess(concurrency) {
  const raw = {
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'word '.repeat(200) } }],
    usage: { prompt_tokens: 1600, completion_tokens: 200 },
  };
  const reply = {
    text: 'word '.repeat(200),
    finishReason: 'stop',
    promptTokens: 1600,
    completionTokens: 200,
    requestId: 'r',
    raw,
  };
  return {
    name: 'in process',
    concurrency,
    limits: { requestsPerMinute: undefined, tokensPerMinute: undefined },
    price: undefined,
    settleMs: 0,
    complete: () => new Promise((resolve) => setTimeout(resolve, LATENCY_MS, { ok: true, reply })),
    recover: () => Promise.resolve(undefined),
  };
}
