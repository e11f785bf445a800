import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HubWorkspace } from '../../src/backends/hub-workspace.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { runJob } from '../../src/engine/run-job.ts';
import type { RunEvent } from '../../src/model/event.ts';
import type { JobHandle } from '../../src/model/job.ts';
import { HubNodes } from '../rig/hub-nodes.ts';
import { isThere, ROOT, until } from '../rig/job-rig.ts';
import { jobStep, openRig, type Rig, useProgram } from './engine-rig.ts';

const python = process.env.ZEPHYR_TEST_PYTHON ?? join(ROOT, '.venv', 'bin', 'python');
const skip = existsSync(python) ? false : `no Python with huggingface_hub at ${python}`;

/** The rig with machines far away, which share a Hub over HTTP with this one and nothing else. */
async function openNodes(t: TestContext, program: string): Promise<{ rig: Rig; engine: Engine; nodes: HubNodes }> {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, program);
  const { engine, url, token } = await rig.overHttp();
  const workspace = new HubWorkspace({ hub: engine.hub, root: ROOT, pollMs: 50, pushEverySeconds: 1 });
  const nodes = new HubNodes(workspace, { python, disks: join(rig.folder, 'disks'), url, token });
  return { rig, engine: { ...engine, backend: { scheduler: nodes, workspace } }, nodes };
}

const typesOf = ({ events }: Rig): string[] => events.map((event) => (event.type === 'job' ? event.event.type : event.type));

test('a job that shares nothing but a Hub is followed, and what it made is brought from there', { skip }, async (t) => {
  const { rig, engine } = await openNodes(t, 'finish');
  const run = await rig.begin(engine);
  const outcome = await runJob({ engine, run, step: jobStep({ steps: 2 }), inputs: {} });
  assert.ok(outcome.ok);
  assert.equal(await readFile(join(outcome.folder, 'model.txt'), 'utf8'), 'weights');
  const handle = run.state.job?.handle;
  assert.ok(handle != null);
  const { place } = handle;
  assert.match(place, /^hf:\/\/models\/org\/out@job-[0-9a-z]{26}-train-e1$/);
  assert.deepEqual(
    typesOf(rig).filter((type) => ['boot', 'progress', 'final'].includes(type)),
    ['boot', 'progress', 'progress', 'final'],
  );
  const log = (await engine.backend.workspace.log(place, 0)).map(({ text }) => text);
  assert.ok(log.includes('step 2') && log.includes('on stderr'));
});

test('its checkpoint stays on its branch, is named by the run, and is gone on from on another machine', { skip }, async (t) => {
  const { rig, engine, nodes } = await openNodes(t, 'saving');
  const stopping = new AbortController();
  const diskOf = ({ id }: JobHandle): string => join(rig.folder, 'disks', id, 'job');
  let preempted = 0;
  const emit = (event: RunEvent): void => {
    rig.engine.emit(event);
    if (event.type === 'job-submitted' && event.resumedFromStep !== undefined) stopping.abort();
    else if (event.type === 'job-submitted') {
      preempted += 1;
      // it saves when it is told to stop
      const up = until('the program is up', () => isThere(join(diskOf(event.handle), 'ready')));
      void up.then(() => nodes.cancel(event.handle));
    }
  };
  const run = await rig.begin(engine);
  const told = { ...engine, emit, signal: stopping.signal };
  await assert.rejects(runJob({ engine: told, run, step: jobStep({}), inputs: {} }), { exit: 'detached' });
  const again = run.state.job?.handle as JobHandle;
  const resumed = join(diskOf(again), 'in', 'resume', 'checkpoint-2', 'state.txt');
  await until('the job has fetched what it goes on from', () => isThere(resumed));
  await nodes.cancel(again);
  assert.equal(preempted, 1);
  assert.deepEqual(
    run.state.checkpoints.map(({ at, lies }) => [at, lies?.under]),
    [
      [2, 'checkpoints/checkpoint-2'],
      [1, 'checkpoints/checkpoint-1'],
    ],
  );
  assert.equal(run.state.attempts.train?.at(-1)?.resumedFromStep, 2);
  assert.equal(await readFile(resumed, 'utf8'), 'state at 2');
  const tree = await rig.beside.tree({ ...run.state.repo, commit: run.head });
  assert.ok(!tree.some(({ path }) => path.includes('checkpoint-')), 'nothing of it was copied to the branch of the run');
});
