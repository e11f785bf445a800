import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRun } from '../../src/engine/read-run.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { formatRef, type RepoId } from '../../src/model/artifact.ts';
import { type Ended, type Place, start } from '../rig/zephyr.ts';
import { keysOf, type Provider, paidTwice } from './feedback.ts';

export interface Contender {
  readonly place: Place;
  readonly args: readonly string[];
  /** milliseconds after the first one */
  readonly afterMs: number;
}

export interface Contest {
  readonly ended: readonly Ended[];
  /** how many of them began a run or went on with one */
  readonly owners: number;
  /** calls that were answered meanwhile */
  readonly answered: number;
  /** keys of calls that were answered more than once */
  readonly twice: readonly string[];
  /** IDs of the runs of the repo, read afterwards from the disk of the Hub */
  readonly runs: readonly string[];
}

/** Starts them all and waits for all: who got the run, and what was paid. `repo`: whose runs are counted. */
export async function contest(
  provider: Provider,
  hubPlace: Place,
  contenders: readonly Contender[],
  repo: RepoId,
): Promise<Contest> {
  const before = (await provider.paid()).length;
  const ended = await Promise.all(
    contenders.map(async ({ place, args, afterMs }) => {
      if (afterMs > 0) await sleep(afterMs);
      return await (await start(place, args)).ended;
    }),
  );
  const paid = (await provider.paid()).slice(before);
  const hub = await openLocalHub(join(hubPlace.home, 'hub'));
  const runs: string[] = [];
  for (const branch of Object.keys((await hub.refs(repo))?.branches ?? {}))
    if ((await readRun(hub, repo, branch)) !== undefined) runs.push(formatRef({ ...repo, revision: branch }));
  return {
    ended,
    owners: ended.filter(({ stderr }) => OWNED.test(stderr)).length,
    answered: keysOf(paid).length,
    twice: paidTwice(paid),
    runs,
  };
}

const OWNED = / (dsft|aif) {2}(started|resumed) hf:/;

/**
 * What is wrong with a contest; nothing when one of them had the run, the others were told of it or found its artifact, and
 * no call was paid twice. `won`: how the winner ends.
 */
export function faultsOf({ ended, owners, twice, runs }: Contest, won: number): string[] {
  const [run] = runs;
  const faults: string[] = [];
  if (owners !== 1) faults.push(`${owners} owners`);
  if (runs.length !== 1) faults.push(`${runs.length} runs`);
  if (twice.length > 0) faults.push(`${twice.length} calls paid twice`);
  for (const { code, stderr } of ended) {
    if (OWNED.test(stderr) ? code === won : code === 0) continue;
    if (code === 6 && run !== undefined && stderr.includes(run) && stderr.includes('zephyr status')) continue;
    faults.push(`exit ${code}: ${stderr.trim().split('\n').slice(-3).join(' | ')}`);
  }
  return faults;
}
