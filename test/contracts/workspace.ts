import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { JobOrder, Workspace } from '../../src/backends/workspace.ts';
import { sha256 } from '../../src/base/sha256.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';
import { contentDigest } from '../../src/model/content-digest.ts';
import { checkpointFiles, type JobWriter } from '../rig/job-writer.ts';

export interface WorkspaceUnderTest {
  readonly kind: Workspace['kind'];
  /** A workspace as one machine has it, and how a job writes to a place there. */
  readonly open: (hub: Hub, folder: string) => { readonly workspace: Workspace; readonly writer: (place: string) => JobWriter };
  /** The same workspace as another machine has it; `folder` is where that one keeps its own things. */
  readonly elsewhere: (hub: Hub, folder: string, moved: string) => Promise<Workspace>;
  /** A file of the job as it finds it. */
  readonly read: (workspace: Workspace, hub: Hub, place: string, path: string) => Promise<string | undefined>;
}

const repo: RepoId = { type: 'model', name: 'org/out' };
const heartbeat = (seq: number) => `${JSON.stringify({ seq, t: 1, type: 'heartbeat' })}\n`;
const RESULT = { version: 1, global_step: 3, max_steps: 3, metrics: {}, versions: {} };

/** What every workspace promises. */
export function workspaceContract({ kind, open, elsewhere, read }: WorkspaceUnderTest): void {
  describe(`workspace ${kind}`, () => {
    let home: string;
    let hub: Hub;
    let workspace: Workspace;
    let writer: (place: string) => JobWriter;
    let input: ArtifactRef;
    let runs = 0;

    before(async () => {
      home = await mkdtemp(join(tmpdir(), 'zephyr-workspace-'));
      hub = await openLocalHub(join(home, 'hub'));
      ({ workspace, writer } = open(hub, join(home, 'here')));
      await hub.createRepo(repo);
      input = await commit({ type: 'dataset', name: 'org/rows' }, { 'rows.jsonl': '{"text":"a"}\n' });
      await mkdir(join(home, 'code'));
      await writeFile(join(home, 'code', 'dsft.py'), 'print("dsft")\n');
    });
    after(() => rm(home, { recursive: true }));

    async function commit(to: RepoId, files: Readonly<Record<string, string>>): Promise<ArtifactRef> {
      await hub.createRepo(to);
      const parent = (await hub.resolve({ ...to, revision: 'main' })) as string;
      const add = Object.entries(files).map(([path, content]) => ({ path, content }));
      const outcome = await hub.commit({ repo: to, branch: 'main', parent, message: 'files', add });
      assert.ok(outcome.ok);
      return { ...to, commit: outcome.commit };
    }
    function newRun(): string {
      runs += 1;
      return `run-${String(runs).padStart(26, '0')}`;
    }
    function order(run = newRun(), more: Partial<JobOrder> & { epoch?: number } = {}): JobOrder {
      const digest = contentDigest([{ path: 'rows.jsonl', size: 13, sha256: sha256('{"text":"a"}\n') }]);
      const { epoch = 1, ...others } = more;
      return {
        repo,
        labels: { run, stage: 'dsft', step: 'train', epoch },
        program: 'dsft',
        code: { folder: join(home, 'code'), files: ['dsft.py'] },
        config: { rate: 1 },
        inputs: { data: { ref: input, digest } },
        hardware: {
          device: 'cpu',
          nodes: 2,
          ranks: 4,
          microBatch: 1,
          accumulation: 2,
          threads: 1,
          sharding: 'fsdp2',
          offload: true,
        },
        cadence: { save_steps: 1, log_steps: 1, heartbeat_s: 10 },
        checkpoint: undefined,
        ...others,
      };
    }
    const scratch = () => join(home, `scratch-${Math.random()}`);

    it('lays out what a program reads, and the place is where it said it would be', async () => {
      const asked = order();
      const place = await workspace.lay(asked);
      assert.equal(place, workspace.placeOf(asked));
      assert.equal(await read(workspace, hub, place, 'code/dsft.py'), 'print("dsft")\n');
      const job = JSON.parse((await read(workspace, hub, place, 'job.json')) ?? '');
      const given = {
        device: 'cpu',
        processes: 8,
        micro_batch: 1,
        accumulation: 2,
        threads: 1,
        sharding: 'fsdp2',
        offload: true,
      };
      assert.deepEqual(job.hardware, given);
      assert.deepEqual([job.program, job.config, job.resume], ['dsft', { rate: 1 }, null]);
      assert.equal(job.inputs.data, `in/datasets--org--rows/snapshots/${input.commit}`);
      assert.deepEqual(await workspace.events(place, 0), []);
      assert.deepEqual(await workspace.checkpoints(place), []);
    });

    it('gives whole lines from an offset on, the same to whoever asks', async () => {
      const place = await workspace.lay(order());
      const job = writer(place);
      assert.deepEqual(await workspace.events(place, 0), []);
      await job.events(heartbeat(0) + heartbeat(1).slice(0, 9));
      const [first, ...none] = await workspace.events(place, 0);
      assert.deepEqual([first?.text, none], [heartbeat(0).trim(), []]);
      await job.events(`${heartbeat(1).slice(9)}${heartbeat(2)}`);
      assert.deepEqual(
        (await workspace.events(place, first?.end ?? 0)).map(({ text }) => JSON.parse(text).seq),
        [1, 2],
      );
      const again = await workspace.events(place, 0);
      assert.equal(again.length, 3);
      assert.deepEqual(await workspace.events(place, again.at(-1)?.end ?? 0), []);
      const other = await elsewhere(hub, join(home, 'here'), join(home, 'there'));
      assert.deepEqual(await other.events(place, first?.end ?? 0), again.slice(1));
    });

    it('gives the log, and of its end what a reader would see of it', async () => {
      const place = await workspace.lay(order());
      const job = writer(place);
      await job.log(`${'x'.repeat(40_000)}\nfirst\n`);
      await job.log('10%\r50%\r100%\r\nlast\n');
      const log = await workspace.log(place, 0);
      assert.deepEqual(
        log.slice(1).map(({ text }) => text),
        ['first', '10%\r50%\r100%\r', 'last'],
      );
      await job.exit(1);
      assert.deepEqual((await workspace.end(place)).logTail, ['first', '100%', 'last']);
    });

    it('says how a job ended, and believes no result that breaks the contract', async () => {
      const place = await workspace.lay(order());
      const job = writer(place);
      await job.put({ 'result.json': '{"version": 1, "global_step": "3"}' });
      await job.exit(75);
      assert.deepEqual(await workspace.end(place), { result: undefined, exit: { code: 75, outOfMemory: false }, logTail: [] });
      await job.put({ 'result.json': JSON.stringify(RESULT) });
      assert.deepEqual((await workspace.end(place)).result, RESULT);
    });

    it('hands over whole checkpoints alone, which stay when their trainer deletes them', async () => {
      const place = await workspace.lay(order());
      const job = writer(place);
      for (const at of [5, 10]) await job.put(checkpointFiles(at));
      const { 'checkpoints/checkpoint-15/sub/state.txt': _, ...torn } = checkpointFiles(15);
      await job.put(torn);
      assert.deepEqual((await workspace.checkpoints(place)).slice(0, 2), ['checkpoint-5', 'checkpoint-10']);
      assert.equal(await workspace.fetchCheckpoint(place, 'checkpoint-15', scratch()), undefined);
      assert.equal(await workspace.fetchCheckpoint(place, 'checkpoint-99', scratch()), undefined);
      const fetched = await workspace.fetchCheckpoint(place, 'checkpoint-10', scratch());
      assert.ok(fetched !== undefined);
      assert.equal(fetched.manifest.step, 10);
      await job.drop('checkpoints/checkpoint-10');
      const held = (path: string) =>
        fetched.on === 'disk' ? readFile(join(fetched.folder, path)) : hub.read(fetched.ref, `${fetched.under}/${path}`);
      assert.equal(Buffer.from((await held('sub/state.txt')) ?? []).toString(), 'state 10');
      assert.equal(Buffer.from((await held('shards/.metadata')) ?? []).toString(), '\0places of weights at 10');
    });

    it('goes on from a checkpoint on the Hub that verifies, and from no other', async () => {
      const files = checkpointFiles(10);
      const good = await commit({ type: 'model', name: 'org/good' }, files);
      const bad = await commit(
        { type: 'model', name: 'org/bad' },
        { ...files, 'checkpoints/checkpoint-10/sub/state.txt': 'state 99' },
      );
      assert.equal(await workspace.restore(bad, 'checkpoints/checkpoint-10', scratch()), undefined);
      const checkpoint = await workspace.restore(good, 'checkpoints/checkpoint-10', scratch());
      assert.ok(checkpoint !== undefined);
      const place = await workspace.lay(order(newRun(), { checkpoint }));
      const job = JSON.parse((await read(workspace, hub, place, 'job.json')) ?? '');
      assert.equal(job.resume, 'in/resume/checkpoint-10');
      assert.equal(await read(workspace, hub, place, `${job.resume}/sub/state.txt`), 'state 10');
      assert.equal(await read(workspace, hub, place, `${job.resume}/shards/.metadata`), '\0places of weights at 10');
    });

    it('hands over what a job made as files of this disk, unless that is gone', async () => {
      const place = await workspace.lay(order());
      const job = writer(place);
      await job.put({ 'out/model.safetensors.part': '\0weights', 'out/sub/config.json': '{}' });
      const folder = await workspace.fetchOut(place, scratch());
      assert.ok(folder !== undefined);
      assert.equal(await readFile(join(folder, 'sub', 'config.json'), 'utf8'), '{}');
      await job.drop('out');
      assert.equal(await workspace.fetchOut(place, scratch()), undefined);
    });

    it("keeps a run's logs when what its jobs needed goes, spares whom it is told to, and lets go of all in the end", async () => {
      const run = { repo, run: newRun() };
      const places = [];
      for (const epoch of [2, 10]) {
        const place = await workspace.lay(order(run.run, { epoch }));
        await writer(place).put(checkpointFiles(epoch));
        await writer(place).log('said\n');
        places.push(place);
      }
      assert.deepEqual(await workspace.jobs(run), [
        { name: 'train-e2', place: places[0] },
        { name: 'train-e10', place: places[1] },
      ]);
      const size = (await workspace.size(run)) ?? 0;
      await workspace.sweep(run, new Set([places[1] as string]));
      assert.deepEqual(await workspace.checkpoints(places[0] as string), []);
      assert.deepEqual(await workspace.checkpoints(places[1] as string), ['checkpoint-10']);
      assert.equal((await workspace.log(places[0] as string, 0)).length, 1);
      assert.ok(((await workspace.size(run)) ?? 0) < size);
      await workspace.remove(run);
      assert.deepEqual(await workspace.jobs(run), []);
      assert.equal(await workspace.size(run), undefined);
    });
  });
}
