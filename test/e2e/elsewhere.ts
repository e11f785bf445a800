import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, type Place, zephyr } from '../rig/zephyr.ts';
import { clientOf, type Provider, paidTwice, stoppedWhen } from './feedback.ts';

/** A target that lets so many calls be on a machine's disk alone. */
export async function writeBound(flushCalls: number): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'zephyr-target-')), 'bound.yaml');
  await writeFile(path, `backend: process\ncadence: {flushCalls: ${flushCalls}}\n`);
  return path;
}

export interface Moved {
  readonly stopped: Ended;
  readonly ended: Ended;
  /** calls that were answered before zephyr was stopped */
  readonly before: number;
  /** how many were asked again */
  readonly again: number;
}

/**
 * Stops a zephyr that works over HTTP when `after` calls are answered, and has another one, with another home, go on with
 * its run to the end.
 */
export async function moved(
  hubPlace: Place,
  hub: string,
  provider: Provider,
  args: readonly string[],
  after: number,
  signal: NodeJS.Signals,
): Promise<Moved> {
  const already = (await provider.paid()).length;
  const first = await clientOf(hubPlace, provider);
  let before = 0;
  const when = (calls: readonly unknown[]): boolean => {
    before = calls.length - already;
    return before >= after;
  };
  const stopped = await stoppedWhen(first, [...args, '--hub', hub], provider, when, signal);
  const [, id = ''] = /started (hf:\S+@run-\w+)/.exec(stopped.stderr) ?? [];
  assert.notEqual(id, '', stopped.stderr);
  const ended = await zephyr(await clientOf(hubPlace, provider), 'resume', id, '--hub', hub);
  const paid = (await provider.paid()).slice(already);
  return { stopped, ended, before, again: paidTwice(paid).length };
}
