import { shellWord } from '../../errors.ts';
import type { JobLabels } from '../../model/job.ts';
import { attemptName } from '../job-folder.ts';
import { claiming, DROP_SECRETS, headerLine, loginShell, stopOnTerm } from './batch-script.ts';
import type { SlurmOptions } from './options.ts';

/** A job that runs zephyr itself. Paths are the cluster's. */
export interface DriverJob {
  readonly options: SlurmOptions;
  readonly labels: JobLabels;
  readonly place: string;
  readonly folder: string;
  readonly cluster: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Zephyr puts its run away within seconds. */
const SIGNAL_SECONDS = 120;

export function driverOptions({ options, labels, folder }: DriverJob): string[] {
  const { account, qos, driver } = options;
  const partition = driver.partition ?? options.partition;
  const given = Object.entries({ partition, account, qos, time: driver.time });
  return [
    `--job-name=${attemptName(labels)}`,
    `--comment=zephyr ${Object.values(labels).join(' ')}`,
    ...given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...['--nodes=1', '--ntasks=1', `--chdir=${folder}`, `--output=${`${folder}/log.txt`.replaceAll('%', '%%')}`],
    ...['--open-mode=append', '--export=NONE', `--signal=B:TERM@${SIGNAL_SECONDS}`, '--requeue'],
    ...driver.sbatch,
  ];
}

/**
 * The script of a driver. Slurm may start it again, after its node failed or because it asks for that when its time is up; only
 * a second job of the name leaves at once. It is told to stop like every job, by files in its control folder.
 */
export function driverScript(job: DriverJob): string {
  const control = `${job.folder}/control/${attemptName(job.labels)}`;
  return [
    loginShell(job.options),
    ...driverOptions(job).map(headerLine),
    '',
    `control=${shellWord(control)}`,
    ...claiming(job.cluster, job),
    'if ! grep -qF "\\"id\\":\\"$SLURM_JOB_ID\\"" "$control/claim.json"; then exit 0; fi',
    '# what is left of a start before this one; an order to cancel stays one',
    'rm -f "$control/exit.json" "$control/time-is-up"',
    'if [ ! -e "$control/cancelled" ]; then rm -f "$control/stop"; fi',
    ...stopOnTerm(SIGNAL_SECONDS),
    DROP_SECRETS,
    ...job.options.preamble,
    ...Object.entries(job.env).map(([name, value]) => `export ${name}=${shellWord(value)}`),
    `${job.argv.map(shellWord).join(' ')} < /dev/null &`,
    'zephyr=$!',
    'told=',
    'while kill -0 "$zephyr" 2> /dev/null; do',
    '  if [ -z "$told" ] && [ -e "$control/stop" ]; then told=yes; kill -TERM "$zephyr"; fi',
    '  if [ -e "$control/kill" ]; then kill -KILL "$zephyr"; fi',
    '  sleep 1',
    'done',
    'wait "$zephyr"',
    'code=$?',
    'if [ -e "$control/time-is-up" ] && [ ! -e "$control/cancelled" ] && [ "$code" = 130 ]; then',
    '  scontrol requeue "$SLURM_JOB_ID" && exit 0',
    'fi',
    `printf '{"code":%d,"outOfMemory":false}\\n' "$code" > "$control/exit.tmp"`,
    'mv "$control/exit.tmp" "$control/exit.json"',
    'exit "$code"',
    '',
  ].join('\n');
}
