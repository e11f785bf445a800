// A pool and a judge at one server, beside a plain client under the same limits: `node test/bench/aif/slots.mjs [PROMPTS] [CASE]` asks a
// load server in a process of its own for answers of four models to each prompt and, as soon as these are in, for four
// judgements; once through the whole engine, once with nothing but a semaphore (and a bucket), turn by turn. `one`: all
// calls are one teacher's, `slots`: those of five, 64 at once and no limit; `limits`: one model for pool and judge, 3,000 requests a minute, answered 429 beyond a burst of one
// second. The rate is of the time from the first request to the last answer. Figures to read, not a test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { forEachAtOnce, withSession } from '../../../src/calls/run-calls.ts';
import { openTeacher } from '../../../src/teachers/registry.ts';
import { teacherSpec } from '../../../src/teachers/spec.ts';
import { startServer } from './processes.mjs';

const CONCURRENCY = 64;
const POOL = ['answers-1', 'answers-2', 'answers-3', 'answers-4'];
const ASPECTS = ['a', 'b', 'c', 'd'];
const CASES = {
  one: { perMinute: undefined, isOne: true, server: ['--latencyMs', '300', '--jitterMs', '400'] },
  slots: { perMinute: undefined, server: ['--latencyMs', '300', '--jitterMs', '400'] },
  limits: {
    perMinute: 3000,
    server: ['--latencyMs', '300', '--jitterMs', '400', '--requestsPerMinute', '3000', '--burstSeconds', '1'],
  },
};
const rounds = 3;
const prompts = Number(process.argv[2] ?? 60);

console.log(`${prompts} prompts, ${prompts * (POOL.length + ASPECTS.length)} calls, ${CONCURRENCY} at once`);
console.log('case    client    calls/s  answered 429  most in flight');
for (const [name, each] of Object.entries(CASES).filter(([name]) => (process.argv[3] ?? name) === name)) {
  const rates = { zephyr: [], plain: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const [client, ask] of Object.entries({ plain, zephyr })) {
      const { perSecond, refused, mostInFlight } = await measured(each, ask);
      rates[client].push(perSecond);
      const share = `${(100 * refused).toFixed(2)} %`;
      console.log(
        `${name.padEnd(8)}${client.padEnd(10)}${perSecond.toFixed(1).padStart(7)}${share.padStart(14)}${String(mostInFlight).padStart(16)}`,
      );
    }
  const middle = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
  console.log(
    `${name.padEnd(8)}zephyr has ${(middle(rates.zephyr) / middle(rates.plain)).toFixed(3)} of the plain client's rate`,
  );
}

async function measured({ perMinute, isOne = false, server: args }, ask) {
  const server = await startServer(fileURLToPath(new URL('../../rig/load-server.ts', import.meta.url)), args);
  try {
    await ask(server.url, perMinute, isOne ? () => 'judge' : (teacher) => teacher);
    const { contents, firstMs, lastMs, refused, requests, mostInFlight } = await server.tally();
    return { perSecond: contents / ((lastMs - firstMs) / 1000), refused: refused / requests, mostInFlight };
  } finally {
    await server.stop();
  }
}

/** One model for all where a limit is shared, as a provider counts it by model. */
function modelOf(teacher, perMinute) {
  return perMinute === undefined ? teacher : 'one-model';
}

async function eachCall(atOnce, ask) {
  await forEachAtOnce(Array.from({ length: prompts }).keys(), atOnce, async (n) => {
    await Promise.all(POOL.map((teacher) => ask(teacher, `answer ${n} of ${teacher}`)));
    await Promise.all(ASPECTS.map((aspect) => ask('judge', `judge ${n} by ${aspect}`)));
  });
}

async function zephyr(url, perMinute, asked) {
  const callLog = mkdtempSync(join(tmpdir(), 'zephyr-slots-'));
  const limits = perMinute === undefined ? {} : { requestsPerMinute: perMinute };
  const opened = Object.fromEntries(
    [...POOL, 'judge'].map((id) => {
      const spec = { provider: 'openai', model: modelOf(id, perMinute), baseUrl: url, concurrency: CONCURRENCY, limits };
      return [id, openTeacher(teacherSpec.parse(spec), 'key')];
    }),
  );
  const sampling = { temperature: 0, top_p: 1, max_tokens: 200 };
  try {
    await withSession({ callLog, teacher: async (id) => [opened[id]], signal: new AbortController().signal }, (session) =>
      eachCall(
        () => session.inHand,
        async (named, content) => {
          const teacher = asked(named);
          const call = {
            teacher,
            purpose: 'bench',
            model: modelOf(teacher, perMinute),
            messages: [{ role: 'user', content }],
            sampling,
          };
          const { ok } = await session.ask(call);
          if (!ok) throw new Error('a call failed');
        },
      ),
    );
  } finally {
    rmSync(callLog, { recursive: true });
  }
}

async function plain(url, perMinute, asked) {
  let free = CONCURRENCY;
  const waiting = [];
  let nextAt = 0;
  async function enter() {
    if (free > 0) free -= 1;
    else await new Promise((resolve) => waiting.push(resolve));
    if (perMinute === undefined) return;
    const now = performance.now();
    nextAt = Math.max(nextAt + 60_000 / perMinute, now - 250);
    if (nextAt > now) await sleep(nextAt - now);
  }
  function leave() {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }
  await eachCall(prompts, async (named, content) => {
    const teacher = asked(named);
    await enter();
    try {
      const body = { model: modelOf(teacher, perMinute), messages: [{ role: 'user', content }], max_tokens: 200 };
      for (;;) {
        const answer = await fetch(`${url}/chat/completions`, { method: 'POST', body: JSON.stringify(body) });
        await answer.text();
        if (answer.ok) return;
        await sleep(1000 * Number(answer.headers.get('retry-after') ?? 1));
      }
    } finally {
      leave();
    }
  });
}
