import type { RunCommand } from './commands.ts';

/** A job as Slurm lists it. */
export interface QueuedJob {
  readonly id: string;
  /** in Slurm's long form: PENDING, RUNNING, NODE_FAIL */
  readonly state: string;
  /** why it waits, or why it ended, in Slurm's words */
  readonly reason: string;
  readonly nodes: string;
}

export type QueueAnswer =
  | { readonly answer: 'found'; readonly job: QueuedJob }
  | { readonly answer: 'absent' }
  | { readonly answer: 'unknown'; readonly why: string };

const FORMAT = '%i|%T|%N|%r';
const ASK = ['squeue', '--noheader', '--states=all', `--format=${FORMAT}`];

/** The job with this number, as long as the controller remembers it, and then as long as the accounting does. */
export async function askForJob(run: RunCommand, id: string): Promise<QueueAnswer> {
  const { exitCode, stdout, why } = await run([...ASK, `--jobs=${id}`]);
  // one unknown number is an error, several are an empty list
  if (exitCode !== 0 && !/Invalid job id/i.test(why)) return { answer: 'unknown', why };
  const job = parseQueue(stdout).find((listed) => listed.id === id);
  return job === undefined ? await askAccounting(run, id) : { answer: 'found', job };
}

/** The jobs of a name, the first of them first; undefined where the controller does not answer. */
export async function jobsNamed(run: RunCommand, name: string): Promise<readonly QueuedJob[] | { readonly why: string }> {
  const { exitCode, stdout, why } = await run([...ASK, `--name=${name}`]);
  if (exitCode !== 0) return { why };
  return parseQueue(stdout).sort((one, other) => Number(one.id) - Number(other.id));
}

/** Lines of `FORMAT`; a line that is none is passed over. */
export function parseQueue(text: string): QueuedJob[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', state = '', nodes = '', ...reason] = line.trim().split('|');
    if (!/^\d+$/.test(id) || !/^[A-Z_]+$/.test(state)) return [];
    return [{ id, state, nodes, reason: reason.join('|') }];
  });
}

/** What Slurm's data base says of a job that the controller has dropped. Many a cluster has none, which says nothing. */
async function askAccounting(run: RunCommand, id: string): Promise<QueueAnswer> {
  const format = '--format=JobIDRaw,State,NodeList';
  const { exitCode, stdout } = await run(['sacct', '--noheader', '--parsable2', '--allocations', format, `--jobs=${id}`]);
  if (exitCode !== 0) return { answer: 'absent' };
  const job = parseAccounting(stdout).find((listed) => listed.id === id);
  return job === undefined ? { answer: 'absent' } : { answer: 'found', job };
}

/** As `parseQueue`; here a state may say who brought it about, `CANCELLED by 1000`. */
export function parseAccounting(text: string): QueuedJob[] {
  return parseQueue(text.replaceAll(/\|([A-Z_]+) by \d+\|/g, '|$1|').replaceAll(/\|([A-Z_]+)\+\|/g, '|$1|'));
}
