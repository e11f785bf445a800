// 160 turns as MT-Bench asks them, by scripts/train/generate.py and by `transformers serve`, which is asked one by one: the same model,
// questions and machine, rounds in turns. `node test/bench/answers.mjs HOME [ROUNDS [MODEL]]`: HOME is the ZEPHYR_HOME of a rehearsal, whose
// dSFT model answers unless another is named. Both answer greedily, as a server of transformers 5.18 does whatever it is asked, so that
// answers can be compared; generate.py also once as MT-Bench wants them. Figures to read, not a test.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { parseRef } from '../../src/model/artifact.ts';
import { python, root } from '../rig/zephyr.ts';
import { questions } from './answers/questions.mjs';

const [home, rounds = '3', name = 'local/zephyr-7b-rehearsal-dsft'] = process.argv.slice(2);
if (home === undefined) throw new Error('Cannot measure without a model: name the ZEPHYR_HOME of a rehearsal');
const MOST = 64;
const threads = availableParallelism();
const folder = mkdtempSync(join(tmpdir(), 'zephyr-answers-'));
const env = {
  ...process.env,
  HF_HUB_OFFLINE: '1',
  OMP_NUM_THREADS: String(threads),
  CUDA_VISIBLE_DEVICES: '',
  PYTHONDONTWRITEBYTECODE: '1',
};
try {
  const model = await modelFolder();
  const serving = servingPython();
  const runs = { batch: [], mixed: [], served: [] };
  for (let round = 0; round < Number(rounds); round += 1) {
    runs.served.push(await served(model, serving));
    runs.batch.push(generated(model, false));
    runs.mixed.push(generated(model, true));
  }
  tell(runs);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function tell(runs) {
  const same = [...runs.served[0].texts].filter(([key, text]) => runs.batch[0].texts.get(key) === text).length;
  const seconds = (of, what) => of.map((run) => run[what].toFixed(1)).join(' ');
  const middle = (of, what) => of.map((run) => run[what]).sort((one, other) => one - other)[Math.floor(of.length / 2)];
  console.log(`${2 * questions.length} turns, ${threads} threads, load ${loadavg()[0].toFixed(1)}, ${same} answers are the same`);
  console.log('                              from start to end, s     asking alone, s     tokens');
  const line = (title, of) =>
    console.log(`${title.padEnd(30)}${seconds(of, 'wall').padEnd(25)}${seconds(of, 'asking').padEnd(20)}${of[0].tokens}`);
  line('transformers serve', runs.served);
  line('generate.py, greedy', runs.batch);
  line('generate.py, as MT-Bench', runs.mixed);
  for (const what of ['wall', 'asking'])
    console.log(`${what}: ${(middle(runs.batch, what) / middle(runs.served, what)).toFixed(2)} of the server's, by medians`);
}

async function modelFolder() {
  const hub = await openLocalHub(join(home, 'hub'));
  const ref = parseRef(`hf://models/${name}`);
  const commit = await hub.resolve({ ...ref, revision: ref.revision ?? 'main' });
  if (commit === undefined) throw new Error(`Cannot find the model "${name}" in "${home}"`);
  return (await hub.materialise({ type: ref.type, name: ref.name, commit }, join(folder, 'models'))).folder;
}

/** The Python of training with what `transformers serve` needs beside it. */
function servingPython() {
  const place = join(folder, 'serving');
  const pins = join(root, 'test', 'bench', 'answers', 'requirements.txt');
  const make = join(root, 'scripts', 'train', 'environments', 'make.py');
  const ended = spawnSync(python, [make, place, join(folder, 'scratch'), '--on', python, pins], { encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`the server's packages cannot be installed: ${ended.stdout}${ended.stderr}`);
  return join(place, 'bin', 'python');
}

/** One job of generate.py, from the start of its process to its end. */
function generated(model, atTemperatures) {
  const job = mkdtempSync(join(folder, 'job-'));
  cpSync(join(root, 'scripts', 'train'), join(job, 'code'), { recursive: true });
  for (const each of ['in/prompts', 'out', 'checkpoints']) mkdirSync(join(job, each), { recursive: true });
  symlinkSync(model, join(job, 'in', 'model'));
  const rows = questions.map(({ id, temperature, turns: [prompt, ...followups] }) => ({
    ...{ prompt_id: id, prompt, followups },
    temperature: atTemperatures ? temperature : 0,
  }));
  writeFileSync(join(job, 'in', 'prompts', 'prompts.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const config = {
    ...{ template: 'zephyr', system: 'none', max_new_tokens: MOST, temperature: 0, top_p: 1, samples: 1, seed: 1 },
    ...{ batch_size: 80, engine: 'transformers', too_long: 'mark' },
  };
  const hardware = { device: 'cpu', processes: 1, micro_batch: 1, accumulation: 1, threads };
  const labels = { run: 'r', stage: 'eval', step: 'answers', epoch: 1 };
  const inputs = { model: 'in/model', prompts: 'in/prompts' };
  const cadence = { save_steps: 50, log_steps: 1, heartbeat_s: 5 };
  const file = { version: 1, program: 'generate', labels, config, inputs, hardware, cadence, resume: null };
  writeFileSync(join(job, 'job.json'), JSON.stringify(file));
  const started = performance.now();
  const ended = spawnSync(python, ['code/generate.py', 'job.json'], { cwd: job, env, encoding: 'utf8' });
  const wall = (performance.now() - started) / 1000;
  if (ended.status !== 0) throw new Error(`generate.py ended with ${ended.status}: ${ended.stderr.slice(-2000)}`);
  const events = lines(join(job, 'events.jsonl'));
  const at = (type) => events.filter((event) => event.type === type).at(-1).t;
  const records = lines(join(job, 'out', 'completions.jsonl'));
  const tokens = records.reduce((sum, record) => sum + record.tokens, 0);
  const texts = new Map(records.map((record) => [`${record.prompt_id} ${record.turn}`, record.text]));
  return { wall, asking: at('progress') - at('data'), tokens, texts };
}

/** A server from its start to the last of the answers, asked one question after the other. */
async function served(model, serving) {
  const port = await freePort();
  const started = performance.now();
  const argv = [
    '-m',
    'transformers.cli.transformers',
    'serve',
    model,
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--device',
    'cpu',
  ];
  const server = spawn(serving, argv, { cwd: folder, env, stdio: 'ignore' });
  const gone = once(server, 'exit');
  try {
    const url = `http://127.0.0.1:${port}`;
    while (
      !(await fetch(`${url}/health`).then(
        (answer) => answer.ok,
        () => false,
      ))
    ) {
      if (server.exitCode !== null) throw new Error(`transformers serve ended with ${server.exitCode}`);
      await sleep(50);
    }
    const ready = performance.now();
    const texts = new Map();
    let tokens = 0;
    for (const { id, temperature, turns } of questions) {
      const messages = [];
      for (const [index, content] of turns.entries()) {
        messages.push({ role: 'user', content });
        const body = JSON.stringify({ model, messages, temperature, max_tokens: MOST, stream: false });
        const answer = await fetch(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        if (!answer.ok) throw new Error(`the server said ${answer.status}: ${await answer.text()}`);
        const { choices, usage } = await answer.json();
        messages.push(choices[0].message);
        texts.set(`${id} ${index + 1}`, choices[0].message.content);
        tokens += usage?.completion_tokens ?? 0;
      }
    }
    const now = performance.now();
    return { wall: (now - started) / 1000, asking: (now - ready) / 1000, tokens, texts };
  } finally {
    server.kill('SIGKILL');
    await gone;
  }
}

function lines(path) {
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
