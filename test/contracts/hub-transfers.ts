import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import type { Addition } from '../../src/hub/hub.ts';
import type { TransferProgress } from '../../src/model/event.ts';
import { add, head, type OpenHub, repo, withHub } from './hub-rig.ts';

const LARGE = 70_000;

/** More large files than are moved at once, and a small one. */
async function filesIn(folder: string): Promise<Addition[]> {
  const paths = Array.from({ length: 20 }, (_, i) => `w-${String(i).padStart(2, '0')}.npz`);
  for (const [i, path] of paths.entries()) await writeFile(join(folder, path), Buffer.alloc(LARGE, i + 1));
  return [...paths.map((path) => ({ path, file: join(folder, path) })), { path: 'config.json', content: '{"a":1}' }];
}

const TOTAL = 20 * LARGE + 7;

function isWhole(told: readonly TransferProgress[]): void {
  assert.deepEqual(told.at(-1)?.done, TOTAL);
  assert.ok(told.every(({ total }) => total === TOTAL));
  assert.ok(told.every(({ done }, i) => done >= (told[i - 1]?.done ?? 0)));
}

/** A signal that is aborted as soon as something has moved, and what was told until the transfer ended. */
function stopping(reason?: Error): {
  signal: AbortSignal;
  progress: (progress: TransferProgress) => void;
  told: TransferProgress[];
} {
  const stop = new AbortController();
  const told: TransferProgress[] = [];
  const progress = (progress: TransferProgress): void => {
    told.push(progress);
    stop.abort(reason);
  };
  return { signal: stop.signal, progress, told };
}

const isDetached = (error: unknown): boolean =>
  error instanceof ZephyrError && error.exit === 'detached' && /^Detached from the Hub at /.test(error.message);

/** What whoever moves files to a Hub or from it sees of that, and how he ends it. */
export function transfersContract(name: string, open: OpenHub): void {
  describe(`${name} lets transfers be watched and stopped`, () => {
    it(
      'tells how far a commit and a snapshot are, by file, up to their last byte',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const sent: TransferProgress[] = [];
        const request = { repo, branch: 'main', parent: await head(hub), message: 'Add', add: await filesIn(folder) };
        const outcome = await hub.commit(request, { progress: (progress) => sent.push(progress) });
        assert.ok(outcome.ok);
        isWhole(sent);
        assert.deepEqual([...new Set(sent.map(({ file }) => file))].sort(), request.add.map(({ path }) => path).sort());
        const came: TransferProgress[] = [];
        const ref = { ...repo, commit: outcome.commit };
        await hub.materialise(ref, join(folder, 'cache'), { progress: (progress) => came.push(progress) });
        isWhole(came);
      }),
    );

    it(
      'commits nothing when it is stopped, and all of it when asked again',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const parent = await head(hub);
        const request = { repo, branch: 'main', parent, message: 'Add', add: await filesIn(folder) };
        const stopped = stopping();
        await assert.rejects(hub.commit(request, stopped), isDetached);
        assert.ok((stopped.told.at(-1)?.done ?? TOTAL) < TOTAL);
        assert.equal(await head(hub), parent);
        await assert.rejects(hub.commit(request, { signal: AbortSignal.abort() }), isDetached);
        assert.equal(await head(hub), parent);
        const outcome = await hub.commit(request);
        assert.ok(outcome.ok);
        assert.equal((await hub.tree({ ...repo, commit: outcome.commit })).length, 21);
      }),
    );

    it(
      'lays no snapshot when it is stopped, and all of it when asked again',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const ref = await add(hub, await filesIn(folder));
        const cache = join(folder, 'cache');
        const stopped = stopping();
        await assert.rejects(hub.materialise(ref, cache, stopped), isDetached);
        assert.ok((stopped.told.at(-1)?.done ?? TOTAL) < TOTAL);
        assert.deepEqual(await readdir(join(cache, 'models--org--base', 'snapshots')), []);
        await assert.rejects(hub.materialise(ref, cache, { signal: AbortSignal.abort() }), isDetached);
        const laid = await hub.materialise(ref, cache);
        assert.equal(laid.files.length, 21);
        assert.equal((await readdir(laid.folder)).length, 21);
      }),
    );

    it(
      'ends with the reason of whoever stops it, where there is one',
      withHub(open, async (hub, folder) => {
        await hub.createRepo(repo);
        const reason = new ZephyrError('The run is somebody else’s', { exit: 'conflict' });
        const request = { repo, branch: 'main', parent: await head(hub), message: 'Add', add: await filesIn(folder) };
        await assert.rejects(hub.commit(request, stopping(reason)), reason);
        const ref = await add(hub, request.add);
        await assert.rejects(hub.materialise(ref, join(folder, 'cache'), stopping(reason)), reason);
      }),
    );
  });
}
