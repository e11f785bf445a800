import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { until } from './job-rig.ts';
import { root } from './zephyr.ts';

/** The cluster that all tests share. They leave its nodes and its controller alone, and ask for a few processors at a time. */
export const sharedConf = process.env.SLURM_CONF ?? '/tmp/zephyr-slurm/slurm.conf';

/** Why tests on a real cluster cannot run here. `scripts/ci/slurm-up.sh` brings up what they stand on. */
export function missingSlurm(): string | undefined {
  if (existsSync(sharedConf) && slurm(sharedConf, 'scontrol', 'ping').status === 0) return undefined;
  const reason = `no Slurm cluster at ${sharedConf}`;
  if (process.env.ZEPHYR_TEST_REQUIRE?.split(',').includes('slurm')) throw new Error(`Cannot test on Slurm: ${reason}`);
  return reason;
}

/** One of Slurm's commands on the cluster of this configuration. */
export function slurm(conf: string, command: string, ...args: string[]) {
  return spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, SLURM_CONF: conf } });
}

export type Daemon = 'slurmctld' | 'n1' | 'n2';

/** A cluster of one test's own, whose controller and nodes it may take away. */
export class Cluster {
  readonly folder: string;
  readonly conf: string;
  private readonly port: number;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.conf = join(folder, 'slurm.conf');
    this.port = port;
  }

  /** Settings are lines of slurm.conf, KEY=VALUE. */
  static async up(...settings: string[]): Promise<Cluster> {
    // not below the scratch folder of the tests: sockets of step daemons lie here, and their paths are short
    const cluster = new Cluster(mkdtempSync('/tmp/zephyr-slurm-'), await freePorts(3));
    cluster.mend(...settings);
    return cluster;
  }

  /** Starts the daemons that are gone, and puts nodes that are down into service again. */
  mend(...settings: string[]): void {
    this.script('slurm-up.sh', String(this.port), ...settings);
  }

  down(): void {
    this.script('slurm-down.sh');
  }

  run(command: string, ...args: string[]): string {
    const { status, stdout, stderr } = slurm(this.conf, command, ...args);
    if (status !== 0) throw new Error(`"${command} ${args.join(' ')}" ended with ${status}: ${stderr}`);
    return stdout.trim();
  }

  /** One that is killed is gone when this resolves. */
  async signal(daemon: Daemon, signal: NodeJS.Signals): Promise<void> {
    const pid = Number(readFileSync(join(this.folder, `${daemon}.pid`), 'utf8'));
    process.kill(pid, signal);
    if (signal === 'SIGKILL') await until(`${daemon} is gone`, async () => !runs(pid));
  }

  private script(name: string, ...args: string[]): void {
    const { status, stderr } = spawnSync('bash', [join(root, 'scripts', 'ci', name), this.folder, ...args], {
      encoding: 'utf8',
      // a daemon that it starts keeps no pipe of ours open, yet its own children may
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  }
}

/** Whether the process still has a program: one that ended has none, although nobody collected it yet. */
function runs(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}

/** The first of so many ports in a row that nobody listens on, below those that the kernel hands out by itself. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await Promise.all(Array.from({ length: count }, (_, offset) => isFree(first + offset)));
    if (free.every(Boolean)) return first;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
