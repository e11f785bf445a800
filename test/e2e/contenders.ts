import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ended, type Place, start, zephyr } from '../rig/zephyr.ts';
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
  /** Runs of the repo, read afterwards. */
  readonly runs: readonly { readonly id: string; readonly phase: string }[];
}

/** Starts them all and waits for all: who got the run, and what was paid. `repo`: whose runs are counted. */
export async function contest(provider: Provider, contenders: readonly Contender[], repo: string): Promise<Contest> {
  const before = (await provider.paid()).length;
  const ended = await Promise.all(
    contenders.map(async ({ place, args, afterMs }) => {
      if (afterMs > 0) await sleep(afterMs);
      return await (await start(place, args)).ended;
    }),
  );
  const paid = (await provider.paid()).slice(before);
  const [first] = contenders;
  assert.ok(first);
  const at = first.args.indexOf('--hub');
  const listed = await zephyr(first.place, 'status', '--json', ...(at < 0 ? [] : first.args.slice(at, at + 2)));
  const runs = (JSON.parse(listed.stdout) as { id: string; phase: string }[]).filter(({ id }) => id.includes(`/${repo}@`));
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
    if (code === 6 && run !== undefined && stderr.includes(run.id) && stderr.includes('zephyr status')) continue;
    faults.push(`exit ${code}: ${stderr.trim().split('\n').slice(-3).join(' | ')}`);
  }
  return faults;
}
