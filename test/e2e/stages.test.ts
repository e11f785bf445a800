import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { LinesPlot } from '../../src/report/model-report/plots.ts';
import { type Practice, startPractice } from '../rig/practice.ts';
import { CANARY, type Ended, missing, newPlace, type Place, python, zephyr } from '../rig/zephyr.ts';
import { startHub } from './early-stop.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();

interface Made {
  readonly id: string;
  readonly manifest: { readonly fingerprint: string; readonly digest: string; readonly stage: string };
}

describe('stages one by one', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let practice: Practice;
  let place: Place;
  let whole: Ended;

  before(async () => {
    tiny = await writeTiny();
    practice = await startPractice(7);
    place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(place);
    whole = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'));
    assert.equal(whole.code, 0, whole.stderr);
  });
  after(async () => await practice?.stop());

  test('each in a process and a folder of its own, passing IDs alone, have the fingerprints and bytes of one run', async () => {
    const other = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(other);
    const on = ['--on', tiny.on('process')];
    const dsft = await only(other, 'dsft', tiny.recipe, ...on);
    const aif = await only(other, 'aif', tiny.recipe, '--dsft', dsft, ...on);
    const ddpo = await only(other, 'ddpo', tiny.recipe, '--dsft', dsft, '--aif', aif, ...on);
    const apart = await Promise.all([dsft, aif, ddpo].map((id) => inspect(other, id)));
    const together = await Promise.all(ids(whole).map((id) => inspect(place, id)));
    assert.deepEqual(
      apart.map(({ manifest: { stage, fingerprint, digest } }) => ({ stage, fingerprint, digest })),
      together.map(({ manifest: { stage, fingerprint, digest } }) => ({ stage, fingerprint, digest })),
    );
  });

  test('run again are all used again, and say why', async () => {
    const again = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(ids(again), ids(whole));
    assert.equal(again.stderr.match(/reused .* same fingerprint/g)?.length, 12, again.stderr);
    assert.doesNotMatch(again.stderr, /started/);
  });

  test('publish a card whose usage runs as it is printed, by the name of the model', async (t) => {
    const [model = ''] = ids(whole).slice(-1);
    const hub = await startHub(place);
    t.after(() => hub.stop());
    const name = /^hf:\/\/models\/([^@]+)@/.exec(model)?.[1];
    const token = (await readFile(join(place.home, 'hub', 'token'), 'utf8')).trim();
    const headers = { authorization: `Bearer ${token}` };
    const card = await (await fetch(`${hub.url}/${name}/resolve/main/README.md`, { headers })).text();
    const usage = /^## Usage\n\n```python\n([\s\S]*?)```$/m.exec(card)?.[1] ?? card;
    const cwd = await mkdtemp(join(tmpdir(), 'zephyr-usage-'));
    const env = { PATH: process.env.PATH, HF_HOME: cwd, HF_ENDPOINT: hub.url, HF_TOKEN: token, HF_HUB_DISABLE_XET: '1' };
    const { stdout } = await promisify(execFile)(python, ['-c', usage], { cwd, env });
    assert.notEqual(stdout.trim(), '');
  });

  test('are followed by an evaluation of what they made where the recipe has a section of it', async () => {
    const section = ['--set', 'eval={suite: smoke, parts: [refusals]}'];
    const evaluated = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'), ...section);
    assert.equal(evaluated.code, 0, evaluated.stderr);
    assert.deepEqual(ids(evaluated).slice(0, -1), ids(whole));
    assert.deepEqual(
      evaluated.stderr.match(/\S+(?= {2}started \()/g)?.map((step) => step.split('/')[0]),
      ['eval', 'eval', 'eval', 'eval'],
    );
    assert.match(evaluated.stderr, /^suite smoke\n.*\nRefusals .*\nOver-refusals /m);
  });

  test('are planned again only from the change on, with the ingredient that differs', async () => {
    const planned = await zephyr(
      place,
      'plan',
      tiny.recipe,
      '--on',
      tiny.on('process'),
      '--set',
      'ddpo.train.beta=0.2',
      '--json',
    );
    assert.equal(planned.code, 0, planned.stderr);
    const { steps } = JSON.parse(planned.stdout) as { steps: { stage: string; step: string; fate: string; why: string }[] };
    assert.deepEqual(
      steps.filter(({ fate }) => fate === 'run').map(({ stage, step, why }) => `${stage}/${step} ${why}`),
      ['ddpo/train config.beta: 0.1 -> 0.2'],
    );
  });

  test('of another beta train against the reference that is there already', async () => {
    const sets = ['--set', 'ddpo.train.beta=0.2', '--set', 'ddpo.train.maxSteps=1'];
    const swept = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'), ...sets);
    assert.equal(swept.code, 0, swept.stderr);
    assert.match(swept.stderr, /ddpo\/reference {2}reused/);
    assert.deepEqual(swept.stderr.match(/\S+(?= {2}started \()/g), ['ddpo/train']);
    assert.notEqual(ids(swept).at(-1), ids(whole).at(-1));
  });

  test('publish what the inspector verifies, with every input by commit', async () => {
    const [, , ddpo] = ids(whole);
    const { manifest } = (await inspect(place, ddpo as string)) as unknown as {
      manifest: { inputs: Record<string, { commit: string }>; attempts: unknown[]; metrics: Record<string, unknown> };
    };
    assert.deepEqual(Object.keys(manifest.inputs).sort(), ['data', 'model', 'reference']);
    for (const { commit } of Object.values(manifest.inputs)) assert.match(commit, /^[0-9a-f]{40}$/);
    assert.equal(manifest.attempts.length, 1);
    assert.match(String(manifest.metrics.attention), /sdpa/, 'the recipe says auto; what was taken is on record');
  });

  test('are told by a report of the last model: its whole lineage, with a curve of each training, and no token', async () => {
    const [, , ddpo] = ids(whole);
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-report-'));
    const [out, markdown] = [join(folder, 'report.html'), join(folder, 'summary.md')];
    await writeFile(markdown, '# before\n');
    const ended = await zephyr(place, 'report', ddpo as string, '--out', out, '--markdown', markdown);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(ended.stdout, `${out}\n`);
    const page = await readFile(out, 'utf8');
    for (const id of ids(whole)) assert.ok(page.includes(`data-copy="${id}"`), id);
    assert.match(page, /data-copy="hf:\/\/models\/test\/base@[0-9a-f]{40}"/);
    const plots = JSON.parse(/id="plots">(.*?)<\/script>/s.exec(page)?.[1] ?? '') as LinesPlot[];
    const losses = plots.filter(({ kind, label }) => kind === 'lines' && label.startsWith('Loss of '));
    assert.deepEqual(
      losses.map(({ series, maxX }) => [series[0]?.name, series[0]?.points.at(-1)?.[0], maxX]),
      [
        ['loss', 24, 24],
        ['loss', 16, 16],
      ],
    );
    assert.match(page, /class="box model result subject"/);
    const shown = /<pre tabindex="0">(name: tiny\n.*?)<\/pre>/s.exec(page)?.[1] ?? '';
    const recipe = join(folder, 'recipe.yaml');
    await writeFile(
      recipe,
      shown
        .replaceAll('&quot;', '"')
        .replaceAll('&#39;', "'")
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&amp;', '&'),
    );
    const planned = await zephyr(place, 'plan', recipe, '--on', tiny.on('process'), '--json');
    assert.equal(planned.code, 0, planned.stderr);
    const { steps, publishes } = JSON.parse(planned.stdout) as { steps: { fate: string }[]; publishes: unknown[] };
    assert.deepEqual([...new Set(steps.map(({ fate }) => fate))], ['reuse']);
    assert.deepEqual(publishes, []);
    assert.ok(!page.includes(CANARY));
    assert.match(await readFile(markdown, 'utf8'), /^# before\n## /);
    const missed = await zephyr(place, 'report', ddpo as string, '--out', join(folder, 'nowhere', 'report.html'));
    assert.equal(missed.code, 2);
    assert.match(missed.stderr, /Cannot write ".*report\.html": expected a folder that is there/);
  });
});

function ids(ended: Ended): string[] {
  return ended.stdout.trim().split('\n');
}

async function only(place: Place, ...args: string[]): Promise<string> {
  const ended = await zephyr(place, ...args);
  assert.equal(ended.code, 0, ended.stderr);
  return ids(ended)[0] as string;
}

async function inspect(place: Place, id: string): Promise<Made> {
  return JSON.parse((await zephyr(place, 'inspect', id, '--json')).stdout) as Made;
}
