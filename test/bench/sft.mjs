// dSFT beside TRL's own SFTTrainer, as it comes and with packing: same model, documents, batch and seed, one thread, rounds in turns
// (test/bench/sft/one_sft_run.py says what is trained). `node test/bench/sft.mjs [ROUNDS [STEPS]]`; needs `npm run setup`. Wall and
// CPU time of a step, without the first and without the last checkpoint. Figures to read, not a test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { python, root } from '../rig/zephyr.ts';

const [rounds = 2, steps = 6] = process.argv.slice(2).map(Number);
const VARIANTS = ['trl', 'trl-packed', 'zephyr-packed'];
const env = { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', CUDA_VISIBLE_DEVICES: '' };
const runs = Object.fromEntries(VARIANTS.map((variant) => [variant, []]));

console.log(`${rounds} rounds of ${steps} steps, load ${loadavg()[0].toFixed(1)}`);
for (let round = 0; round < rounds; round += 1) for (const variant of VARIANTS) runs[variant].push(oneRun(variant));
console.log('variant         step s (median)  tokens of documents/s   ratio  a CPU second   ratio  tokens read/s');
for (const variant of VARIANTS) {
  const figure = (time, tokens = 'documents') => perSecond(runs[variant], tokens, time);
  const both = ['step_s', 'step_cpu_s'].flatMap((time, index) => [
    figure(time)
      .toFixed(1)
      .padStart(index === 0 ? 23 : 14),
    (figure(time) / perSecond(runs.trl, 'documents', time)).toFixed(2).padStart(8),
  ]);
  const read = figure('step_s', 'all').toFixed(1).padStart(15);
  console.log(`${variant.padEnd(15)}${median(runs[variant]).toFixed(2).padStart(16)}${both.join('')}${read}`);
}
console.log(`load ${loadavg()[0].toFixed(1)}`);

function oneRun(variant) {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-sft-'));
  try {
    const script = join(root, 'test', 'bench', 'sft', 'one_sft_run.py');
    const ended = spawnSync(python, [script, variant, folder, String(steps)], { cwd: folder, env, encoding: 'utf8' });
    if (ended.status !== 0) throw new Error(`${variant} ended with ${ended.status}: ${ended.stderr}`);
    return JSON.parse(ended.stdout.trim().split('\n').at(-1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of tokens in the time of all steps that were timed. */
function perSecond(of, tokens, time) {
  const seconds = of.flatMap((run) => run[time]).reduce((sum, step) => sum + step, 0);
  return of.reduce((sum, run) => sum + run[tokens], 0) / seconds;
}

function median(of) {
  const sorted = of.flatMap((run) => run.step_s).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}
