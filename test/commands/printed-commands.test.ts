import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { noteHub, onSameHub } from '../../src/commands/same-hub.ts';
import { localHub } from '../../src/hub/local-hub.ts';
import { openStore } from '../../src/store/store.ts';
import { writeTiny } from '../e2e/tiny.ts';
import { assertMistake } from '../rig/mistake.ts';
import { cli, missing, newPlace, zephyr } from '../rig/zephyr.ts';

const run = promisify(execFile);

describe('commands that are printed', { skip: missing() }, () => {
  after(() => noteHub(undefined));

  it('make a plan again by the options that made it, from files whose names a shell would take apart', async () => {
    const place = await newPlace();
    const hub = localHub(await openStore(join(place.home, 'hub')));
    const repo = { type: 'model', name: 'test/base' } as const;
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    await hub.commit({ repo, branch: 'main', parent, message: 'x', add: [{ path: 'config.json', content: '{}' }] });
    const tiny = await writeTiny();
    const folder = join(place.home, "it's my folder");
    await mkdir(folder);
    const [recipe, plan] = [join(folder, 'a recipe.yaml'), join(folder, 'a plan')];
    const text = await readFile(tiny.recipe, 'utf8');
    await writeFile(recipe, text);
    const options = ['--on', tiny.on('process'), '--set', 'dsft.train.learningRate=2.0e-3', '--stage', 'dsft'];
    const made = await zephyr(place, 'plan', recipe, ...options, '--out', plan);
    assert.equal(made.code, 0, made.stderr);
    const before = JSON.parse(await readFile(plan, 'utf8')) as Record<string, unknown>;
    await writeFile(recipe, text.replace('maxSteps: 24', 'maxSteps: 25'));
    const ended = await zephyr(place, 'run', plan);
    assertMistake(ended, 6, /maxSteps: 24 -> 25/);
    const [, again = ''] = /save anew: zephyr (plan .*)$/m.exec(ended.stderr) ?? [];
    await run('bash', ['-c', `"$NODE" "$CLI" ${again}`], {
      env: { ...process.env, ZEPHYR_HOME: place.home, NODE: process.execPath, CLI: cli },
    });
    const now = JSON.parse(await readFile(plan, 'utf8')) as Record<string, unknown>;
    assert.notEqual(now.digest, before.digest);
    for (const member of ['goal', 'target', 'pins', 'source']) assert.deepEqual(now[member], before[member], member);
  });

  it('name the Hub over HTTP that they are about, and the embedded one needs no word', () => {
    const id = 'hf://models/org/made@run-01m8pqyb6e059bc86r90pdpks8';
    const text = `mend it; go on with: zephyr resume ${id}; log: zephyr logs ${id} (zephyr status lists the runs)`;
    assert.equal(onSameHub(text), text);
    noteHub('http://127.0.0.1:7600');
    const there = `${id} --hub http://127.0.0.1:7600`;
    assert.equal(
      onSameHub(text),
      `mend it; go on with: zephyr resume ${there}; log: zephyr logs ${there} (zephyr status lists the runs)`,
    );
  });
});
