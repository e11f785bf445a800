// What zephyr costs on top of training: `zephyr dsft` beside the two programs of the stage run by hand on the very job.json
// that zephyr wrote, interleaved. `own`: seconds of zephyr in which no job ran, which says more than the difference where other
// work disturbs. `node test/bench/dsft.mjs [ROUNDS]`; needs `npm run setup`. A figure to read, not a test.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { baseFolder } from '../e2e/tiny.ts';
import { python, root } from '../rig/zephyr.ts';

const rounds = Number(process.argv[2] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'zephyr-dsft-'));
const home = join(folder, 'home');
const launcher = join(root, 'scripts', 'zephyr');
const env = { PATH: process.env.PATH, HOME: process.env.HOME, ZEPHYR_HOME: home };

const recipe = `
name: bench
namespace: test
base: hf://models/test/base
dsft:
  data: {source: datasets, datasets: [{ref: hf://datasets/test/dialogues, test: null}]}
  prepare: {maxLength: 128}
  train: {learningRate: 1.0e-3, epochs: 40, maxSteps: 100, globalBatch: 8, dtype: float32, attention: sdpa, gradientCheckpointing: false, saveSteps: 50}
aif: {source: pairs, ref: hf://datasets/test/pairs}
ddpo: {train: {beta: 0.1, learningRate: 1.0e-4, epochs: 1, globalBatch: 8}}
`;
const target = `
backend: process
hardware: {device: cpu, threads: 1, microBatch: {dsft: 8, ddpo: 8}}
`;

try {
  writeFileSync(join(folder, 'bench.yaml'), recipe);
  writeFileSync(join(folder, 'target.yaml'), target);
  const base = await baseFolder();
  const data = writeDialogues(join(folder, 'dialogues'));
  zephyr('hub', 'import', base, '--as', 'hf://models/test/base');
  zephyr('hub', 'import', data, '--as', 'hf://datasets/test/dialogues');

  console.log('round  zephyr s   bare s    ratio  difference s    own s');
  const all = [];
  for (let round = 0; round <= rounds; round += 1) {
    const args = ['dsft', join(folder, 'bench.yaml'), '--on', join(folder, 'target.yaml'), '--set', `seed=${round}`];
    const [whole] = timed(() => zephyr(...args));
    const own = whole - inJobs(newestRun());
    const bare = byHand(newestRun(), { base, data });
    // the first round reads everything from the disk for whoever comes later
    if (round > 0) all.push(show(String(round), whole, bare, own));
  }
  const sum = (which) => all.reduce((total, each) => total + each[which], 0) / all.length;
  show('mean', sum(0), sum(1), sum(2));
  console.log(
    `aim: ratio of at most 1.05 and 2 s, which is ${(sum(1) * 1.05 + 2000).toFixed(0)} ms; ${availableParallelism()} cores`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function show(name, whole, bare, own) {
  const figures = [whole / 1000, bare / 1000, whole / bare, (whole - bare) / 1000, own / 1000].map((figure, index) =>
    figure.toFixed(2).padStart(index === 3 ? 14 : 9),
  );
  console.log(name.padEnd(6) + figures.join(''));
  return [whole, bare, own];
}

function timed(work) {
  const started = performance.now();
  const result = work();
  return [performance.now() - started, result];
}

function run(program, args, cwd) {
  const ended = spawnSync(program, args, { cwd, env, encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
}

function zephyr(...args) {
  run(launcher, args, folder);
}

function newestRun() {
  return join(home, 'jobs', readdirSync(join(home, 'jobs')).sort().at(-1));
}

/** Milliseconds from the start of each supervisor to the end of its program, added up. */
function inJobs(zephyrRun) {
  return [1, 2].reduce((total, epoch) => {
    const control = join(zephyrRun, epoch === 1 ? 'prepare-e1' : 'train-e2', 'control');
    const [attempt] = readdirSync(control);
    const at = (file, key) => Date.parse(JSON.parse(readFileSync(join(control, attempt, file), 'utf8'))[key]);
    return total + at('exit.json', 'endedAt') - at('claim.json', 'startedAt');
  }, 0);
}

/** Milliseconds of both programs, one after the other, with inputs from plain folders. */
function byHand(zephyrRun, { base, data }) {
  const place = mkdtempSync(join(folder, 'bare-'));
  const inputs = { prepare: { tokenizer: base, data0: data }, train: { base, data: join(place, 'prepare', 'out') } };
  for (const step of ['prepare', 'train']) {
    const job = JSON.parse(readFileSync(join(zephyrRun, `${step}-e${step === 'prepare' ? 1 : 2}`, 'job.json'), 'utf8'));
    mkdirSync(join(place, step));
    cpSync(join(root, 'scripts', 'train'), join(place, step, 'code'), { recursive: true });
    writeFileSync(join(place, step, 'job.json'), JSON.stringify({ ...job, inputs: inputs[step] }));
  }
  const [ms] = timed(() => {
    run(python, ['code/prepare.py', 'job.json'], join(place, 'prepare'));
    run(python, ['code/dsft.py', 'job.json'], join(place, 'train'));
  });
  rmSync(place, { recursive: true });
  return ms;
}

function writeDialogues(path) {
  mkdirSync(join(path, 'data'), { recursive: true });
  const texts = makeQuestionBank(7)
    .phrasings.slice(0, 800)
    .map(({ text }) => text);
  const turn = (role, content) => ({ role, content });
  const rows = texts.map((text, index) => ({
    prompt_id: `d${index}`,
    messages: [turn('user', text), turn('assistant', `You said: ${text}`)],
  }));
  writeFileSync(join(path, 'data', 'train_sft.jsonl'), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  return path;
}
