// How long the CLI takes to start, against a Node that does nothing: least and median wall time of interleaved runs, and
// the median of each run's ratio to the Node started beside it; then the same of least CPU time, the figure that other work on
// the machine disturbs least.
// `node test/bench/startup.mjs [RUNS [OTHER]]`; needs `npm run setup`. OTHER is the checkout of a second build, which takes turns
// with this one. A figure to read, not a test: machines differ and are shared.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [runs, other] = [Number(process.argv[2] ?? 20), process.argv[3]];
const recipe = join(root, 'configs/zephyr-7b.yaml');
const home = mkdtempSync(join(tmpdir(), 'zephyr-bench-'));
const launcher = join(root, 'scripts/zephyr');
const cases = [
  { name: 'node -e 0', program: process.execPath, args: ['-e', '0'], budget: 1 },
  { name: 'zephyr --version', program: launcher, args: ['--version'], budget: 2 },
  { name: 'zephyr --help', program: launcher, args: ['--help'], budget: 2 },
  // a rehearsal's plan: its inputs are made by itself, so that an empty Hub will do
  { name: 'zephyr plan', program: launcher, args: ['plan', '--rehearsal', recipe], budget: 4 },
]
  .flatMap((each) =>
    other === undefined || each.budget === 1
      ? [each]
      : [each, { ...each, name: `  ${each.name} there`, program: join(other, 'scripts/zephyr') }],
  )
  .map((each) => ({ ...each, times: [], cpu: [], status: 0 }));
/** Prints the seconds that the program spent as a user and in the system. */
const TIMED = 'TIMEFORMAT="%3U %3S"; time "$0" "$@" >/dev/null 2>&1';

for (let run = 0; run < runs; run += 1) {
  for (const each of cases) {
    const started = performance.now();
    const { status, stderr } = spawnSync('bash', ['-c', TIMED, each.program, ...each.args], {
      env: { ...process.env, ZEPHYR_HOME: home },
      encoding: 'utf8',
    });
    each.times.push(performance.now() - started);
    each.cpu.push(stderr.split(' ').reduce((sum, seconds) => sum + Number(seconds) * 1000, 0));
    each.status = status;
  }
}
rmSync(home, { recursive: true, force: true });

const least = (times) => Math.min(...times);
const median = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
console.log(
  `${'command'.padEnd(24)}${'least ms'.padStart(10)}${'median ms'.padStart(11)}${'ratio'.padStart(8)}${'cpu ms'.padStart(9)}${'ratio'.padStart(8)}${'budget'.padStart(8)}  exit`,
);
for (const { name, times, cpu, budget, status } of cases) {
  const figures = [
    least(times).toFixed(1).padStart(10),
    median(times).toFixed(1).padStart(11),
    median(times.map((time, run) => time / cases[0].times[run]))
      .toFixed(2)
      .padStart(8),
    least(cpu).toFixed(0).padStart(9),
    (least(cpu) / least(cases[0].cpu)).toFixed(2).padStart(8),
  ];
  console.log(`${name.padEnd(24)}${figures.join('')}${String(budget).padStart(8)}  ${status}`);
}
