import { posix } from 'node:path';
import { shellWord } from '../../errors.ts';
import { attemptName, jobEnvironment, programArgv } from '../job-folder.ts';
import type { SubmitRequest } from '../scheduler.ts';
import type { SlurmOptions } from './options.ts';

/** One attempt, and what it needs of the target and of the shared disk. Paths are the cluster's. */
export interface SbatchJob {
  readonly options: SlurmOptions;
  readonly request: SubmitRequest;
  /** the job folder */
  readonly folder: string;
  /** interpreter, or image, of the program's Python environment */
  readonly software: string;
  /** name of the cluster */
  readonly cluster: string;
}

/** Where a container has the job folder. */
const JOB = '/job';
/** Where the nodes of a job meet: on the first of them, at a port that tells two jobs of one node apart. */
const MEETING = [
  'host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
  '# a name of Slurm need not be one of the network',
  'address=$(scontrol show node "$host" | sed -n "s/.*NodeAddr=\\([^ ]*\\).*/\\1/p" | head -n 1)',
  'host=$(getent hosts "$host" > /dev/null && echo "$host" || echo "$address")',
  'port=$((20000 + SLURM_JOB_ID % 12000))',
];
/** Slurm may send its signal a minute before the time that was asked for, and looks for it every half a minute. */
const EARLY_SECONDS = 120;
/** Variables that a job keeps of what Slurm and the site give it, as patterns of the shell; whatever else is there may be a secret. */
const KEPT = [
  ...['SLURM*', 'CUDA_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL', 'ENROOT_*'],
  ...['PATH', 'LD_LIBRARY_PATH', 'MANPATH', 'MODULE*', 'LMOD*', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TMPDIR'],
].join('|');
const SECRET = 'SLURM_JWT|SLURM_SPANK_*';
export const DROP_SECRETS = `for name in $(compgen -e); do case $name in ${SECRET}) unset "$name" ;; ${KEPT}) ;; *) unset "$name" ;; esac; done`;

/** The first line of a script: lines of the site's own, such as `module load`, need what a login shell has. */
export const loginShell = ({ preamble }: SlurmOptions): string => (preamble.length === 0 ? '#!/bin/bash' : '#!/bin/bash -l');

/** What a script does when it is told to stop: it leaves a file for whoever does the work, and another when its time is up. */
export function stopOnTerm(signalSeconds: number): string[] {
  return [
    '{ end=$(date -d "$(SLURM_TIME_FORMAT=standard timeout 30 squeue -h -j "$SLURM_JOB_ID" -o %e)" +%s); } 2> /dev/null',
    `is_late() { [ -n "$end" ] && [ $((end - $(date +%s))) -le ${signalSeconds + EARLY_SECONDS} ]; }`,
    `trap 'if is_late; then : > "$control/time-is-up"; fi; : > "$control/stop"' TERM`,
  ];
}

/** What puts a claim of this job beside that of others, of which the first stays. */
export function claiming(cluster: string, { place, labels }: Pick<SubmitRequest, 'place' | 'labels'>): string[] {
  // a job handle but for what the job itself knows
  const start = `${JSON.stringify({ backend: 'slurm', host: cluster, place, labels }).slice(0, -1)},`;
  return [
    'mine="$SLURM_JOB_ID.$((SLURM_RESTART_COUNT + 0))"',
    `printf '%s"attempt":"%s","id":"%s","startedAt":"%s"}\\n' ${shellWord(start)} \\`,
    '  "$mine" "$SLURM_JOB_ID" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$control/claim.$mine.tmp" || exit 74',
    'ln "$control/claim.$mine.tmp" "$control/claim.json" 2> /dev/null',
    'rm -f "$control/claim.$mine.tmp"',
  ];
}

/** What the site asks for, the same for every job. */
export function siteOptions(options: SlurmOptions): string[] {
  return (['partition', 'account', 'qos', 'constraint', 'time'] as const).flatMap((name) => {
    const value = options[name];
    return value === undefined ? [] : [`--${name}=${value}`];
  });
}

/** Options of sbatch for one attempt: they head the script, so that a user sees what was asked for. */
export function sbatchOptions({ options, request, folder }: SbatchJob): string[] {
  const { labels, hardware } = request;
  const { nodes, ranks, threads } = hardware;
  const gpus = options.gres === undefined ? `--gpus-per-node=${ranks}` : `--gres=${options.gres}`;
  return [
    `--job-name=${attemptName(labels)}`,
    `--comment=zephyr ${Object.values(labels).join(' ')}`,
    ...siteOptions(options),
    ...[`--nodes=${nodes}`, `--ntasks=${nodes}`, '--ntasks-per-node=1', `--cpus-per-task=${ranks * threads}`],
    ...(hardware.device === 'cuda' ? [gpus] : []),
    `--chdir=${folder}`,
    `--output=${`${folder}/log.txt`.replaceAll('%', '%%')}`,
    '--open-mode=append',
    '--export=NONE',
    `--signal=B:TERM@${options.signalSeconds}`,
    options.requeue ? '--requeue' : '--no-requeue',
    ...options.sbatch,
  ];
}

/**
 * The script of one attempt. It claims the attempt on the shared disk, by a hard link that only one of all who try can make: a
 * second job of the name, and the same job when Slurm starts it once more, leave at once. Told to stop, it says so by a file,
 * which the supervisors of all nodes see: a signal to the step would reach each process of it on some clusters, and one to
 * srun would have the step killed before it could save.
 */
export function batchScript(batch: SbatchJob): string {
  const { options, request, folder } = batch;
  const control = `${folder}/control/${attemptName(request.labels)}`;
  return [
    loginShell(options),
    ...sbatchOptions(batch).map(headerLine),
    '',
    `control=${shellWord(control)}`,
    ...claiming(batch.cluster, request),
    '# the answer of a link may be lost on its way from the disk, so what is there decides',
    'if ! grep -qF "\\"attempt\\":\\"$mine\\"" "$control/claim.json"; then',
    '  if grep -qF "\\"id\\":\\"$SLURM_JOB_ID\\"" "$control/claim.json"; then echo "$mine" >> "$control/requeued"; fi',
    '  exit 0',
    'fi',
    ...stopOnTerm(options.signalSeconds),
    `trap ': > "$control/kill"' USR1`,
    DROP_SECRETS,
    ...options.preamble,
    ...(request.hardware.nodes > 1 ? MEETING : []),
    `${[...srun(batch), ...inside(batch)].join(' ')} &`,
    'step=$!',
    '# a signal ends the waiting, not the step',
    'while :; do wait "$step"; code=$?; kill -0 "$step" 2> /dev/null || break; done',
    // a preemption sends SIGTERM to the step long before it reaches this script, and Slurm calls a job FAILED that obeys in time
    `if [ "$code" = 75 ] && timeout 30 squeue -h -j "$SLURM_JOB_ID" -O PreemptTime 2> /dev/null | grep -q '[0-9]'; then : > "$control/taken-back"; fi`,
    // a supervisor that was killed outright ends nothing any more, and not every cluster ends what left its session
    'if [ ! -e "$control/exit.json" ]; then',
    '  for each in /proc/[0-9]*; do',
    '    if tr "\\0" "\\n" 2> /dev/null < "$each/environ" | awk -v "job=SLURM_JOB_ID=$SLURM_JOB_ID" \'$0 == job || /^ZEPHYR_JOB=/ { found++ } END { exit found != 2 }\'; then',
    '      kill -KILL "$(basename "$each")"',
    '    fi',
    '  done',
    'fi',
    'exit "$code"',
    '',
  ].join('\n');
}

/** An option as sbatch reads a header: in quotes unless it is plain, with a backslash before what would end them. */
export function headerLine(option: string): string {
  const [, name = '', value = ''] = /^(--[\w-]+=|-\w)?(.*)$/.exec(option) ?? [];
  return `#SBATCH ${/^[\w@%+=:,./-]*$/.test(value) ? option : `${name}"${value.replaceAll(/["\\]/g, '\\$&')}"`}`;
}

/** One task a node. Slurm ends no task because another one failed: the supervisors see to that, and their codes count. */
function srun({ options: { runtime }, request, folder, software }: SbatchJob): string[] {
  const { nodes, ranks, threads } = request.hardware;
  const step = [
    'srun',
    ...[`--nodes=${nodes}`, `--ntasks=${nodes}`, '--ntasks-per-node=1', `--cpus-per-task=${ranks * threads}`],
    ...['--kill-on-bad-exit=0', '--wait=0', '--export=ALL', '--input=none', '--mpi=none'],
  ];
  if (runtime.kind !== 'pyxis') return step;
  const mounts = [`${folder}:${JOB}`, `${folder}/in:${JOB}/in:ro`, `${folder}/code:${JOB}/code:ro`, ...runtime.mounts];
  return [
    ...step,
    shellWord(`--container-image=${software}`),
    shellWord(`--container-mounts=${mounts.join(',')}`),
    ...[`--container-workdir=${JOB}`, '--no-container-mount-home', '--no-container-entrypoint'],
  ];
}

/** The program below its supervisor, in what the target says that its Python is in. */
function inside(batch: SbatchJob): string[] {
  const { options, request, folder, software } = batch;
  const { runtime } = options;
  const name = attemptName(request.labels);
  if (runtime.kind === 'python') {
    const variables = { ...jobEnvironment(`${folder}/home`, request, options.environment) };
    const path = `PATH=${shellWord(posix.dirname(software))}:"$PATH"`;
    return ['env', path, ...assignments(variables), ...supervised(batch, `${folder}/control/${name}`, software)];
  }
  const { HOME: home, ...variables } = jobEnvironment(`${JOB}/home`, request, options.environment);
  const program = supervised(batch, `${JOB}/control/${name}`, 'python3');
  if (runtime.kind === 'pyxis') return ['env', ...assignments({ HOME: home ?? '', ...variables }), ...program];
  const binds = [`${folder}:${JOB}`, `${folder}/in:${JOB}/in:ro`, `${folder}/code:${JOB}/code:ro`, ...runtime.binds];
  const exec = [
    ...[runtime.binary, 'exec', '--containall', '--cleanenv', ...(request.hardware.device === 'cuda' ? ['--nv'] : [])],
    ...['--home', shellWord(`${folder}/home:${JOB}/home`), ...binds.flatMap((bind) => ['--bind', shellWord(bind)])],
    ...['--pwd', JOB],
    ...assignments(variables).flatMap((variable) => ['--env', variable]),
    // these differ from node to node, so the task and not the script fills them in
    ...['SLURM_NODEID', ...(request.hardware.device === 'cuda' ? ['CUDA_VISIBLE_DEVICES'] : [])].flatMap((each) => [
      '--env',
      `${each}="$${each}"`,
    ]),
    ...[shellWord(software), ...program.map((word) => word.replace('"$host:$port"', '"$0"'))],
  ];
  return ['bash', '-c', shellWord(`exec ${exec.join(' ')}`), ...(request.hardware.nodes > 1 ? ['"$host:$port"'] : [])];
}

const assignments = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).map(([name, value]) => shellWord(`${name}=${value}`));

function supervised({ request }: SbatchJob, control: string, python: string): string[] {
  const { nodes, ranks } = request.hardware;
  const several = nodes === 1 ? [] : ['--nodes', String(nodes), '--node-rank', 'auto', '--rendezvous', '"$host:$port"'];
  return [
    ...[shellWord(python), shellWord(`${control}/supervise.py`), shellWord(control), '--log', 'log.txt'],
    ...['--ranks', String(ranks), ...several, '--'],
    ...programArgv(shellWord(python), request.program),
  ];
}
