// How much of a provider's limit is used: `node test/bench/aif/limits.mjs [SECONDS] [CASE]` asks a load server that admits 10,000
// requests and 2M tokens a minute and answers 429 beyond, with OpenAI's headers, in 1 s or so; so long after a warm-up of 20 s.
// Requests bind with short calls, tokens with long ones; the limits are in the recipe or only in the headers; the server
// charges what a call used, or characters / 4 + max_tokens in advance; its buckets hold a minute or two seconds. The share is
// of what it charged against what comes in in the time; above 100 % is what a bucket had saved up. Figures to read, not a test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runCalls, withSession } from '../../../src/calls/run-calls.ts';
import { chatBody } from '../../../src/teachers/body.ts';
import { openTeacher } from '../../../src/teachers/registry.ts';
import { teacherSpec } from '../../../src/teachers/spec.ts';
import { startServer } from './processes.mjs';

const LIMITS = { requestsPerMinute: 10_000, tokensPerMinute: 2_000_000 };
const WARM_UP_SECONDS = 20;
/** Prompts of 0.5 to 1.5 times so many characters; replies of 400, which are 100 tokens. */
const CHARACTERS = { requests: 120, tokens: 2400 };
const MAX_TOKENS = { requests: 60, tokens: 512 };
const CASES = [
  { binding: 'requests', recipe: true, charge: 'usage', burst: 60 },
  { binding: 'requests', recipe: false, charge: 'usage', burst: 60 },
  { binding: 'requests', recipe: false, charge: 'usage', burst: 2 },
  { binding: 'tokens', recipe: true, charge: 'usage', burst: 60 },
  { binding: 'tokens', recipe: false, charge: 'usage', burst: 60 },
  { binding: 'tokens', recipe: true, charge: 'estimate', burst: 60 },
  { binding: 'tokens', recipe: false, charge: 'estimate', burst: 60 },
  { binding: 'tokens', recipe: false, charge: 'estimate', burst: 2 },
];

if (process.argv[2] === 'ask') await ask(JSON.parse(process.argv[3]));
else await bench(Number(process.argv[2] ?? 90), process.argv[3] === undefined ? CASES : [CASES[process.argv[3]]]);

async function bench(seconds, cases) {
  console.log('binding   limits from  charged    bucket   calls/min  tokens/min  share of limit  answered 429');
  for (let at = 0; at < cases.length; at += 2)
    await Promise.all(cases.slice(at, at + 2).map((each) => oneCase({ ...each, seconds })));
}

async function oneCase(each) {
  const rig = fileURLToPath(new URL('../../rig/load-server.ts', import.meta.url));
  const args = Object.entries({
    ...LIMITS,
    latencyMs: 600,
    jitterMs: 800,
    characters: 400,
    tokenCharge: each.charge,
    burstSeconds: each.burst,
  });
  const server = await startServer(
    rig,
    args.flatMap(([name, value]) => [`--${name}`, String(value)]),
  );
  try {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'ask', JSON.stringify({ ...each, url: server.url })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const printed = child.stdout.toArray();
    await sleep(WARM_UP_SECONDS * 1000);
    const before = { ...(await server.tally()), at: performance.now() };
    await sleep(each.seconds * 1000);
    const after = { ...(await server.tally()), at: performance.now() };
    await once(child, 'exit');
    const minutes = (after.at - before.at) / 60_000;
    const gained = (name) => after[name] - before[name];
    const admitted = gained('requests') - gained('refused');
    const charged = each.charge === 'usage' ? gained('tokens') : admitted * Number(Buffer.concat(await printed).toString());
    const share =
      each.binding === 'requests' ? admitted / minutes / LIMITS.requestsPerMinute : charged / minutes / LIMITS.tokensPerMinute;
    const percent = (part) => `${(100 * part).toFixed(2)} %`;
    console.log(
      each.binding.padEnd(10) +
        (each.recipe ? 'recipe' : 'headers').padEnd(13) +
        each.charge.padEnd(11) +
        `${each.burst} s`.padEnd(9) +
        (admitted / minutes).toFixed(0).padStart(9) +
        (charged / minutes).toFixed(0).padStart(12) +
        percent(share).padStart(16) +
        percent(gained('refused') / gained('requests')).padStart(14),
    );
  } finally {
    await server.stop();
  }
}

/** Prints what the server charges for a call on average, by its estimate. */
async function ask({ binding, recipe, url, seconds }) {
  const callLog = mkdtempSync(join(tmpdir(), 'zephyr-limits-'));
  const spec = teacherSpec.parse({
    provider: 'openai',
    model: 'm',
    baseUrl: url,
    concurrency: 1024,
    limits: recipe ? LIMITS : {},
  });
  const teacher = openTeacher(spec, 'key');
  const until = performance.now() + (WARM_UP_SECONDS + seconds + 3) * 1000;
  let charged = 0;
  let count = 0;
  function* calls() {
    for (let n = 0; performance.now() < until; n += 1) {
      const content = `${n} `.padEnd(CHARACTERS[binding] * (0.5 + ((n * 7919) % 1000) / 1000), 'some words that are read ');
      const sampling = { temperature: 0, top_p: 1, max_tokens: MAX_TOKENS[binding] };
      const call = { teacher: 't', purpose: 'bench', model: 'm', messages: [{ role: 'user', content }], sampling };
      charged += JSON.stringify(chatBody({ ...call, ...sampling, key: '' }, spec)).length / 4 + MAX_TOKENS[binding];
      count += 1;
      yield call;
    }
  }
  try {
    await withSession({ callLog, teacher: () => Promise.resolve([teacher]), signal: new AbortController().signal }, (session) =>
      runCalls(session, calls()),
    );
  } finally {
    rmSync(callLog, { recursive: true });
  }
  console.log(charged / count);
}
