// dDPO's trainer beside TRL's own DPOTrainer: same model, pairs, batch and seed, one thread, rounds in turns, each training in a
// process of its own (test/bench/ddpo/one_run.py says what is trained). `node test/bench/ddpo.mjs [ROUNDS [PAIRS [MICROBATCH]]]`;
// needs `npm run setup`. CPU time, because wall time is another machine's on another day. Figures to read, not a test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { python, root } from '../rig/zephyr.ts';

const [rounds = 2, pairs = 32, microBatch = 8] = process.argv.slice(2).map(Number);
const VARIANTS = ['trl-online', 'trl-cached', 'zephyr-online', 'zephyr-cached'];
const AIMS = { 'zephyr-online': '2.20 and 0.70', 'zephyr-cached': '2.80 and 0.65' };
const folder = mkdtempSync(join(tmpdir(), 'zephyr-ddpo-'));
const env = { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', CUDA_VISIBLE_DEVICES: '' };

try {
  const runs = Object.fromEntries(VARIANTS.map((variant) => [variant, []]));
  console.log(`${pairs} pairs, micro batch ${microBatch} x 2, ${rounds} rounds, load ${loadavg()[0].toFixed(1)}`);
  for (let round = 0; round < rounds; round += 1) for (const variant of VARIANTS) runs[variant].push(oneRun(variant));
  console.log('variant        pairs/CPU s  ratio  peak MB  ratio  tokens     loss  grad norm  aims');
  for (const variant of VARIANTS) console.log(row(variant, runs));
  console.log(
    `load ${loadavg()[0].toFixed(1)}; differences from TRL: the largest of a step, of the gradient norm in parts of it`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function oneRun(variant) {
  const script = join(root, 'test', 'bench', 'ddpo', 'one_run.py');
  const ended = spawnSync(python, [script, variant, folder, String(pairs), String(microBatch)], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  if (ended.status !== 0) throw new Error(`${variant} ended with ${ended.status}: ${ended.stderr}`);
  return JSON.parse(ended.stdout.trim().split('\n').at(-1));
}

function row(variant, runs) {
  const [mine, trls] = [runs[variant], runs['trl-online']];
  const speed = (of) => of.reduce((sum, run) => sum + run.pairs, 0) / of.reduce((sum, run) => sum + run.cpu_s, 0);
  const peak = (of) => Math.max(...of.map((run) => run.peak_mb));
  const furthest = (name, part) =>
    Math.max(...mine[0][name].map((value, step) => Math.abs(value - trls[0][name][step]) / part(value)));
  return [
    variant.padEnd(15),
    speed(mine).toFixed(3).padStart(11),
    (speed(mine) / speed(trls)).toFixed(2).padStart(7),
    peak(mine).toFixed(0).padStart(9),
    (peak(mine) / peak(trls)).toFixed(2).padStart(7),
    String(mine[0].tokens).padStart(8),
    furthest('loss', () => 1)
      .toExponential(0)
      .padStart(9),
    furthest('grad_norm', (value) => value)
      .toExponential(0)
      .padStart(11),
    `  ${AIMS[variant] ?? ''}`,
  ].join('');
}
