// The tools that the bench compares: how each is made ready, what its command is for a task, and what its result holds.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { python, root } from '../../rig/zephyr.ts';

const { PATH, HOME, LANG } = process.env;
const plain = { PATH, HOME, LANG, OPENAI_API_KEY: 'none', NO_COLOR: '1' };

/** `ready(folder)` throws with the reason where a tool cannot be had; `{command, result}` come from what it returns. */
export const tools = {
  zephyr: zephyr({}),
  'zephyr-store': zephyr({ store: true }),
  'zephyr-self-hosted': zephyr({ provider: 'self-hosted' }),
  distilabel: rival('distilabel'),
  curator: rival('curator'),
};

/** The CLI, bundled from the sources as they are, beside links to what else it needs. */
function zephyr(teacher) {
  return {
    ready(folder) {
      const place = join(folder, 'zephyr');
      if (!existsSync(place)) {
        mkdirSync(place);
        for (const name of ['scripts', 'configs', 'node_modules', '.venv', 'package.json'])
          symlinkSync(join(root, name), join(place, name));
        run(process.execPath, [join(root, 'scripts', 'build.mjs'), '--out', join(place, 'dist')]);
      }
      return {
        command: (task, work) => {
          const recipe = join(work, 'bench.yaml');
          writeFileSync(recipe, JSON.stringify(recipeOf(task, teacher)));
          const env = { ...plain, ZEPHYR_HOME: join(work, 'home') };
          return { command: join(place, 'scripts', 'zephyr'), args: ['aif', recipe], env, cwd: work };
        },
        result: (task, work) => zephyrResult(task, join(work, 'home')),
      };
    },
  };
}

function recipeOf(task, more) {
  const pool = task.models;
  const teacher = (model, part) => {
    const concurrency = Math.floor(task.concurrency / part);
    // a call of unknown outcome is looked for so long among the stored answers
    return { provider: 'openai', model, baseUrl: task.baseUrl, concurrency, timeoutSeconds: 20, ...more };
  };
  // half of the requests in flight for the pool, half for the judge, who works at the same time
  const teachers = Object.fromEntries(pool.map((model) => [model, teacher(model, 2 * pool.length)]));
  const train = { epochs: 1, globalBatch: 8 };
  return {
    name: 'bench',
    namespace: 'test',
    base: 'hf://models/test/base',
    teachers: { ...teachers, judge: teacher(task.judge, 2) },
    dsft: {
      data: { source: 'datasets', datasets: [{ ref: 'hf://datasets/test/none', test: null }] },
      train: { ...train, learningRate: 1e-3 },
    },
    aif: {
      source: 'teachers',
      prompts: { sources: [{ list: task.prompts }] },
      pool: pool.map((model) => ({ teacher: model })),
      answersPerPrompt: pool.length,
      answer: { maxTokens: task.maxTokens },
      judge: { teachers: ['judge'], permutations: 1, aspects: Object.keys(task.aspects), maxTokens: task.maxTokens },
      binarize: { testPrompts: 4 },
    },
    ddpo: { train: { ...train, beta: 0.1, learningRate: 1e-4 } },
  };
}

/** From the tables that were published, told apart by their columns. */
async function zephyrResult(task, home) {
  const answers = new Set();
  const sheets = new Map();
  const lfs = join(home, 'hub', 'lfs');
  const names = existsSync(lfs) ? readdirSync(lfs, { recursive: true, withFileTypes: true }) : [];
  for (const entry of names.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    if (readFileSync(path).subarray(0, 4).toString() !== 'PAR1') continue;
    for (const row of await parquetReadObjects({ file: await asyncBufferFromFile(path) })) {
      if ('text' in row && 'completion_id' in row && row.text) answers.add(row.completion_id);
      if ('rating' in row && row.rating !== null) {
        const sheet = `${row.prompt_id} ${row.aspect} ${row.permutation}`;
        sheets.set(sheet, (sheets.get(sheet) ?? new Set()).add(row.completion_id));
      }
    }
  }
  return { answers: answers.size, sheets: [...sheets.values()].filter((rated) => rated.size === task.models.length).length };
}

/** A Python program of the folder `rivals`, with what its requirements file pins in an environment of its own. */
function rival(name) {
  const place = join(import.meta.dirname, 'rivals');
  return {
    ready() {
      const requirements = join(place, `${name}.txt`);
      const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
      const environment = join(homedir(), '.cache', 'zephyr', `bench-${name}-${digest}`);
      const program = join(environment, 'bin', 'python');
      if (!existsSync(join(environment, 'whole'))) {
        rmSync(environment, { recursive: true, force: true });
        run(python, ['-m', 'venv', environment]);
        run(program, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
        writeFileSync(join(environment, 'whole'), '');
      }
      return {
        command: (task, work) => {
          const file = join(work, 'task.json');
          writeFileSync(file, JSON.stringify(task));
          // nothing may leave this machine: no telemetry, no look at a Hub
          const env = { ...plain, HOME: work, HF_HUB_OFFLINE: '1', TELEMETRY_ENABLED: 'false', PYTHONDONTWRITEBYTECODE: '1' };
          return { command: program, args: [join(place, `${name}_run.py`), file, work], env, cwd: work };
        },
        result: (_, work) => {
          const file = join(work, 'result.json');
          return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { answers: 0, sheets: 0 };
        },
      };
    },
  };
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status === 0) return;
  const last = stderr?.trim().split('\n').at(-1) ?? error?.message;
  throw new Error(`${command} ${args.slice(0, 3).join(' ')} ended with ${status}: ${last}`);
}
