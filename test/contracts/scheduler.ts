import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import type { Backend } from '../../src/backends/backend.ts';
import type { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { type Followed, followJob } from '../../src/backends/follow.ts';
import { BACKENDS, openBackend } from '../../src/backends/registry.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { type JobHandle, jobHandle } from '../../src/model/job.ts';
import { fakeQueue } from '../rig/fake-queue.ts';
import { type ClientOrder, isThere, layJob, processesWith, ROOT, until } from '../rig/job-rig.ts';

/** One more than zephyr has: to add a backend is to add one to this list. */
export const TEST_BACKENDS = { ...BACKENDS, queue: fakeQueue };

export interface SchedulerUnderTest {
  readonly name: string;
  readonly options: Record<string, unknown>;
  /** reason why the whole suite cannot run here */
  readonly skip: string | undefined;
  /** whether the job's Python holds torch, so that several ranks can be started */
  readonly torch: boolean;
  /** kills what watches over the job, so that it can record nothing */
  killSupervisor(handle: JobHandle, backend: Backend): Promise<void>;
  /** whether its jobs are seen from every machine */
  readonly isCluster?: boolean;
  /** has a real queue asked more often than its users would like */
  readonly hurry?: (backend: Backend) => void;
}

/** What every scheduler promises, tried on real processes. */
export function schedulerContract(asked: SchedulerUnderTest): void {
  const { name, options, skip, torch, killSupervisor, isCluster = false, hurry = () => undefined } = asked;
  describe(`scheduler ${name}`, { skip: skip ?? false }, () => {
    let home: string;
    let backend: Backend;
    let hub: Hub;
    let place: ClientOrder['place'];
    let count = 0;
    const handles: JobHandle[] = [];

    before(async () => {
      home = await mkdtemp(join(tmpdir(), 'zephyr-backend-'));
      place = { host: 'here/boot', root: ROOT, cache: join(home, 'cache'), jobs: join(home, 'jobs') };
      hub = await openLocalHub(join(home, 'hub'));
      backend = await openBackend({ backend: name, options }, { ...place, hub }, TEST_BACKENDS);
      hurry(backend);
    });
    after(async () => {
      for (const handle of handles) {
        await backend.scheduler.cancel(handle, 0);
        await backend.scheduler.forget(handle);
      }
      await rm(home, { recursive: true });
    });

    async function lay(fixture: string, config: object = {}, processes = 1) {
      count += 1;
      const run = `run-${process.pid}-${count}`;
      return await layJob(place.jobs, fixture, config, { run, stage: 'dsft', step: 'prepare', epoch: 1 }, processes);
    }
    const folderOf = ({ place: at }: { readonly place: string }): string => (backend.workspace as FolderWorkspace).folder(at);
    async function submit(...job: Parameters<typeof lay>): Promise<JobHandle> {
      const handle = await backend.scheduler.submit(await lay(...job));
      handles.push(handle);
      return handle;
    }
    /** A job of a queue waits and is started before it runs. */
    async function runs(handle: JobHandle): Promise<void> {
      const seen = new Set<string>();
      await until(`${handle.id} runs`, async () => {
        const { state } = await backend.scheduler.state(handle);
        seen.add(state);
        return state === 'running' || state === 'exited';
      });
      seen.delete('queued');
      seen.delete('starting');
      assert.deepEqual([...seen], ['running']);
    }
    async function ended(handle: JobHandle): Promise<Extract<Followed, { type: 'ended' }>> {
      for await (const item of followJob(backend, handle, { pollMs: 20 })) if (item.type === 'ended') return item;
      throw new Error('The stream of a job ended before the job');
    }
    async function client(order: ClientOrder, follow: boolean): Promise<{ child: ChildProcess; handle: JobHandle }> {
      const child = spawn(
        process.execPath,
        [join(ROOT, 'test', 'rig', 'submit-client.ts'), JSON.stringify(order), follow ? 'follow' : 'leave'],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      assert.ok(child.stdout);
      const exited = once(child, 'close').then(([code]) => assert.fail(`the client left with ${code} before it had a handle`));
      exited.catch(() => undefined);
      const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), exited])) as [string];
      const handle = jobHandle.parse(JSON.parse(line));
      handles.push(handle);
      return { child, handle };
    }

    it('returns from submit while the job runs, then tells its events, its result and its log', async () => {
      const handle = await submit('graceful');
      await runs(handle);
      assert.deepEqual(await backend.scheduler.state(handle), { state: 'running' });
      await backend.scheduler.cancel(handle, 0);

      const items: Followed[] = [];
      for await (const item of followJob(backend, await submit('finish', { steps: 3 }), { pollMs: 20 }))
        if (item.type !== 'state') items.push(item);
      assert.deepEqual(
        items.flatMap((item) => (item.type === 'event' ? [item.event.type] : [])),
        ['boot', 'progress', 'progress', 'progress', 'final'],
      );
      const end = items.at(-1);
      assert.ok(end?.type === 'ended');
      assert.deepEqual(end.state, { state: 'exited', code: 0, outOfMemory: false });
      assert.equal(end.result?.global_step, 3);
      assert.deepEqual(end.logTail.toSorted(), ['on stderr', 'step 1', 'step 2', 'step 3']);
    });

    it('goes on following from an offset', async () => {
      const handle = await submit('finish', { steps: 3 });
      await ended(handle);
      const items: Followed[] = [];
      for await (const item of followJob(backend, handle, { pollMs: 20 })) items.push(item);
      const third = items[2];
      assert.ok(third?.type === 'event');
      const again: Followed[] = [];
      for await (const item of followJob(backend, handle, { pollMs: 20, offset: third.offset })) again.push(item);
      assert.deepEqual(again, items.slice(3));
    });

    it('reports the exit code that the program chose', async () => {
      for (const exit of [1, 65, 75]) {
        const { state, result } = await ended(await submit('finish', { exit }));
        assert.deepEqual(state, { state: 'exited', code: exit, outOfMemory: false });
        assert.equal(result, undefined);
      }
    });

    it('stops following when told to, and the job goes on', async () => {
      const handle = await submit('graceful');
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 50);
      for await (const item of followJob(backend, handle, { signal: stop.signal }))
        if (item.type !== 'state') assert.fail(`unexpected ${item.type}`);
      await runs(handle);
      assert.deepEqual(await backend.scheduler.state(handle), { state: 'running' });
    });

    it('keeps the job when the client is killed, and another process follows it to the end', async () => {
      const request = await lay('finish', { steps: 10, seconds: 0.1 });
      const { child, handle } = await client({ backend: name, options, place, request }, true);
      child.kill('SIGKILL');
      await once(child, 'exit');
      assert.deepEqual((await backend.scheduler.find(request.labels))?.id, handle.id);
      const { state, result } = await ended(handle);
      assert.deepEqual(state, { state: 'exited', code: 0, outOfMemory: false });
      assert.equal(result?.global_step, 10);
    });

    it('lets the client end by itself while the job runs', async () => {
      const { child, handle } = await client({ backend: name, options, place, request: await lay('graceful') }, false);
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      await runs(handle);
      assert.deepEqual(await backend.scheduler.state(handle), { state: 'running' });
    });

    it('gives the first job to whoever submits the same labels', async () => {
      const request = await lay('graceful');
      const [one, two] = await Promise.all([
        client({ backend: name, options, place, request }, false),
        client({ backend: name, options, place, request }, false),
      ]);
      assert.equal(one.handle.id, two.handle.id);
      const third = await backend.scheduler.submit(request);
      assert.equal(third.id, one.handle.id);
      await until('the program is up', () => isThere(join(folderOf(request), 'ready-0')));
      await backend.scheduler.cancel(third, 5);
      // an ended one too: a second run under the same name would overwrite what the first left
      assert.equal((await backend.scheduler.submit(request)).id, third.id);
    });

    it('knows nothing of labels that nobody submitted', async () => {
      assert.equal(await backend.scheduler.find({ run: 'run-none', stage: 'dsft', step: 'train', epoch: 7 }), undefined);
    });

    it('gives a program the time to save when it is cancelled', async () => {
      const handle = await submit('graceful', { save_seconds: 0.5 });
      await until('the program is up', () => isThere(join(folderOf(handle), 'ready-0')));
      assert.deepEqual(await backend.scheduler.cancel(handle, 20), { state: 'exited', code: 75, outOfMemory: false });
      assert.ok(await isThere(join(folderOf(handle), 'saved-0')));
      assert.deepEqual(await backend.scheduler.cancel(handle, 20), { state: 'exited', code: 75, outOfMemory: false });
    });

    it('kills a program that ignores SIGTERM, with all that it started', async () => {
      const marker = `marker-${process.pid}-${count}`;
      const handle = await submit('stubborn', { children: 2, marker });
      await until('the program is up', () => isThere(join(folderOf(handle), 'ready-0')));
      assert.equal((await processesWith(marker)).length, 2);
      assert.deepEqual(await backend.scheduler.cancel(handle, 1), { state: 'exited', code: 137, outOfMemory: false });
      assert.deepEqual(await processesWith(marker), []);
    });

    it('leaves no process behind when the program ends by itself', async () => {
      const marker = `marker-${process.pid}-${count}`;
      const handle = await submit('stubborn', { children: 2, marker, leave: true });
      const { state } = await ended(handle);
      assert.deepEqual(state, { state: 'exited', code: 0, outOfMemory: false });
      assert.deepEqual(await processesWith(marker), []);
    });

    it('leaves no process behind when what watches over the job is killed', async () => {
      const marker = `marker-${process.pid}-${count}`;
      const handle = await submit('stubborn', { children: 2, marker });
      await until('the program is up', () => isThere(join(folderOf(handle), 'ready-0')));
      await killSupervisor(handle, backend);
      const { state } = await ended(handle);
      assert.deepEqual(state, { state: 'exited', code: 137, outOfMemory: false });
      assert.deepEqual(await processesWith(marker), []);
    });

    it('stops every rank, and all of them having saved counts as interrupted', {
      skip: torch ? false : 'no torch here',
    }, async () => {
      const handle = await submit('graceful', {}, 2);
      for (const rank of [0, 1]) await until('the rank is up', () => isThere(join(folderOf(handle), `ready-${rank}`)));
      assert.deepEqual(await backend.scheduler.cancel(handle, 30), { state: 'exited', code: 75, outOfMemory: false });
      for (const rank of [0, 1]) assert.ok(await isThere(join(folderOf(handle), `saved-${rank}`)));
    });

    it('reports why one of several ranks refused its input', { skip: torch ? false : 'no torch here' }, async () => {
      const { state } = await ended(await submit('finish', { exit: 65 }, 2));
      assert.deepEqual(state, { state: 'exited', code: 65, outOfMemory: false });
    });

    it('shows the job nothing of our environment', async () => {
      const canary = `canary-${process.pid}-${Math.random()}`;
      process.env.HF_TOKEN = canary;
      process.env.OPENAI_API_KEY = canary;
      try {
        const handle = await submit('nosy');
        await ended(handle);
        for (const file of ['out/seen.json', 'log.txt', 'job.json']) {
          assert.ok(!(await readFile(join(folderOf(handle), file), 'utf8')).includes(canary), `${file} holds the canary`);
        }
        const { environ, read_input, read_link, write_home, uid } = JSON.parse(
          await readFile(join(folderOf(handle), 'out', 'seen.json'), 'utf8'),
        );
        assert.equal(environ.HF_HUB_OFFLINE, '1');
        assert.equal(environ.OMP_NUM_THREADS, '1');
        assert.deepEqual([read_input, read_link, write_home, uid], ['rows', 'rows', 'done', process.getuid?.()]);
      } finally {
        delete process.env.HF_TOKEN;
        delete process.env.OPENAI_API_KEY;
      }
    });

    it('says whether a job can be seen from another machine, and calls none dead that cannot', async () => {
      const handle = await submit('graceful');
      await runs(handle);
      assert.equal(backend.scheduler.reaches(handle), true);
      assert.notEqual(backend.scheduler.reaches({ ...handle, backend: 'another' }), true);
      const elsewhere = await openBackend({ backend: name, options }, { ...place, hub, host: 'elsewhere/boot' }, TEST_BACKENDS);
      assert.equal(elsewhere.scheduler.reaches(handle) === true, isCluster);
      assert.equal(backend.scheduler.reaches(handle, 'elsewhere/boot') === true, isCluster);
      assert.equal((await elsewhere.scheduler.state(handle)).state, isCluster ? 'running' : 'unknown');
      if (!isCluster) assert.equal((await elsewhere.scheduler.cancel(handle, 0)).state, 'unknown');
      assert.deepEqual(await backend.scheduler.state(handle), { state: 'running' });
    });

    it('says what a node offers, for a target that asks for what there is', async () => {
      const { device, cores } = await backend.scheduler.hardware();
      assert.ok(['cpu', 'cuda'].includes(device) && cores >= 1);
    });
  });
}
