// What a call costs each client, without the engine: `node test/bench/aif/transports.mjs [CALLS] [AT_ONCE]` asks a fake server
// on the other core with prompts of 6.4 kB, through every provider, each in a fresh process. Calls a second, milliseconds
// of CPU a call, and so calls a second on one core. Figures to read, not a test.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openTeacher } from '../../../src/teachers/registry.ts';
import { teacherSpec } from '../../../src/teachers/spec.ts';

const program = fileURLToPath(import.meta.url);
const PROMPT = 'lorem ipsum dolor '.repeat(356);

async function measure(url, provider, calls, atOnce) {
  const teacher = openTeacher(teacherSpec.parse({ provider, model: 'm', baseUrl: url, concurrency: atOnce }), 'key');
  const { signal } = new AbortController();
  const ask = async (content) => {
    const request = { model: 'm', messages: [{ role: 'user', content }], temperature: 0, top_p: 1, max_tokens: 100, key: '0' };
    const answer = await teacher.complete(request, signal);
    if (!answer.ok) throw new Error(answer.failure.message);
  };
  let asked = 0;
  const worker = async (until) => {
    while (asked < until) {
      asked += 1;
      await ask(`${asked} ${PROMPT}`);
    }
  };
  const all = (until) => Promise.all(Array.from({ length: atOnce }, () => worker(until)));
  await all(500);
  asked = 0;
  const before = process.cpuUsage();
  const begun = performance.now();
  await all(calls);
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1000 / calls;
  const figures = {
    provider,
    'at once': atOnce,
    'calls/s': Math.round(calls / seconds),
    'CPU ms/call': Number(cpuMs.toFixed(3)),
    'calls/s of one core': Math.round(1000 / cpuMs),
  };
  process.stdout.write(JSON.stringify(figures));
  process.exit();
}

async function compare(calls, atOnce) {
  const server = spawn(process.execPath, [join(program, '../../../rig/load-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [url] = await once(createInterface({ input: server.stdout }), 'line');
    const rows = ['openai', 'huggingface', 'self-hosted'].map((provider) => {
      const args = [program, url, provider, String(calls), String(atOnce)];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr.slice(0, 2000));
      return JSON.parse(stdout);
    });
    console.table(rows);
  } finally {
    server.kill();
  }
}

const [first = '8000', second = '256', ...rest] = process.argv.slice(2);
if (first.startsWith('http')) await measure(first, second, Number(rest[0]), Number(rest[1]));
else await compare(Number(first), Number(second));
