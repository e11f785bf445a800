// Runs on a cluster of two nodes that are killed at random moments: zephyr, a step daemon, a supervisor, a node daemon, the
// controller. Each run must end with the weights of one that nobody touched. As root, with Debian's Slurm:
// `node test/bench/slurm-kills.mjs [KILLS [SEED]]`. Prints each run, and how many kills there were of each kind.
import { isDeepStrictEqual } from 'node:util';
import { published } from '../e2e/published.ts';
import { drawsFrom, killAtRandom, VICTIMS } from '../e2e/slurm-kills.ts';
import { Runs } from '../e2e/slurm-runs.ts';
import { Cluster } from '../rig/slurm.ts';

const wanted = Number(process.argv[2] ?? 30);
const seed = Number(process.argv[3] ?? 1);
const draw = drawsFrom(seed);
const runs = await Runs.ready();
const cluster = await Cluster.up();
const tally = Object.fromEntries(VICTIMS.map((victim) => [victim, 0]));
let kills = 0;
let equal = 0;
let all = 0;
try {
  while (kills < wanted) {
    const nodes = draw() < 0.5 ? 1 : 2;
    const place = await runs.place(cluster.conf);
    const args = ['dsft', runs.recipe, '--on', await runs.on(nodes, { silenceSeconds: 60 })];
    const count = Math.min(wanted - kills, 1 + Math.floor(draw() * 5));
    const victims = Array.from({ length: count }, () => VICTIMS[Math.floor(draw() * VICTIMS.length)]);
    const started = performance.now();
    const { ended, killed } = await killAtRandom({ place, args, cluster }, victims, draw);
    const seconds = Math.round((performance.now() - started) / 1000);
    const same = ended.code === 0 && isDeepStrictEqual(await published(place, ended), runs.whole);
    const hit = killed.filter(({ found }) => found > 0);
    for (const { victim } of hit) tally[victim] += 1;
    kills += hit.length;
    all += 1;
    equal += same ? 1 : 0;
    console.log(
      `${nodes} nodes, ${seconds} s, ${same ? 'equal' : `NOT EQUAL (exit ${ended.code})`}: ${hit.map(({ victim }) => victim).join(', ')}`,
    );
    if (!same) console.log(ended.stderr, place.home);
  }
} finally {
  cluster.down();
}
console.log(`${kills} kills (seed ${seed}), ${equal} of ${all} runs equal to one that nobody touched: ${JSON.stringify(tally)}`);
process.exitCode = equal === all ? 0 : 1;
