import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { environmentDigest, environmentFolder, environmentPins } from '../../src/backends/environments.ts';
import { isMade, makeEnvironment } from '../../src/backends/make-environment.ts';
import { openBackend } from '../../src/backends/registry.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { ROOT } from '../rig/job-rig.ts';

/** A wheel of one module, since no test may ask an index. */
const WHEEL = `
import sys, zipfile
with zipfile.ZipFile(f"{sys.argv[1]}/sample_words-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("sample_words.py", "WORD = 'sample'")
    wheel.writestr("sample_words-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: sample-words\\nVersion: 1.0\\n")
    wheel.writestr("sample_words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("sample_words-1.0.dist-info/RECORD", "")
`;

describe('A second Python environment', () => {
  let home: string;
  const request = () => ({ root: join(home, 'root'), cache: join(home, 'cache'), name: 'sample', env: settings() });
  const settings = () => ({ PATH: process.env.PATH ?? '', HOME: home, PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(home, 'wheels') });

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'zephyr-environments-'));
    const folder = join(home, 'root/scripts/train/environments');
    for (const name of ['train', 'sample']) await mkdir(join(folder, name), { recursive: true });
    await mkdir(join(home, 'wheels'));
    await cp(join(ROOT, 'scripts/train/environments/make.py'), join(folder, 'make.py'));
    await writeFile(join(folder, 'train/requirements.txt'), 'torch==0.0.0\n');
    await writeFile(join(folder, 'sample/requirements.txt'), 'sample-words==1.0\n');
    execFileSync('python3', ['-c', WHEEL, join(home, 'wheels')]);
  });
  after(async () => await rm(home, { recursive: true }));

  it('is made of its own pins in the cache, once, however many ask for it, and train is left alone', async () => {
    const said: string[] = [];
    const hub = await openLocalHub(join(home, 'hub'));
    const place = { ...request(), host: 'here/boot', jobs: join(home, 'jobs'), hub };
    const { scheduler } = await openBackend({ backend: 'process', options: {} }, place);
    assert.deepEqual(await scheduler.unmade?.(['sample']), ['sample']);
    await Promise.all([1, 2].map(() => makeEnvironment({ ...request(), say: (message) => said.push(message) })));
    assert.equal(said.filter((message) => message.startsWith('installing')).length, 1, said.join('\n'));
    assert.ok(await isMade(request()));
    assert.deepEqual(await scheduler.unmade?.(['sample']), []);
    await scheduler.check(['sample']);
    const python = join(await environmentFolder(request(), 'sample'), 'bin/python');
    assert.equal(execFileSync(python, ['-c', 'import sample_words; print(sample_words.WORD)'], { encoding: 'utf8' }), 'sample\n');
    assert.deepEqual(
      (await readdir(join(home, 'cache/environments'))).filter((name) => name.startsWith('train')),
      [],
    );
  });

  it('goes on where its making was cut off: without its stamp it is not there', async () => {
    const folder = await environmentFolder(request(), 'sample');
    await rm(join(folder, 'zephyr.json'));
    await rm(join(folder, 'lib'), { recursive: true });
    assert.equal(await isMade(request()), false);
    await makeEnvironment({ ...request(), say: () => {} });
    assert.ok(await isMade(request()));
  });

  it('leaves no process behind when it is stopped, which would write into the folder that the next try clears', async () => {
    const folder = await environmentFolder(request(), 'sample');
    await rm(folder, { recursive: true });
    const stop = new AbortController();
    // pip is brought by a child of a child; the process table says whether one is there
    const mine = () =>
      execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.startsWith(folder));
    const making = assert.rejects(makeEnvironment({ ...request(), say: () => {}, signal: stop.signal }), { exit: 'detached' });
    while (mine().length === 0) await setTimeout(10);
    stop.abort();
    await making;
    while (mine().length > 0) await setTimeout(10);
    await makeEnvironment({ ...request(), say: () => {} });
    assert.ok(await isMade(request()));
  });

  it('is refused in a sentence where the cache takes no folders', async () => {
    const cache = join(home, 'wheels/sample_words-1.0-py3-none-any.whl');
    await assert.rejects(makeEnvironment({ ...request(), cache, say: () => {} }), {
      exit: 'preflight',
      message: `Cannot make Python environment "sample": "${cache}/environments" cannot be written: not a directory`,
      hint: /XDG_CACHE_HOME/,
    });
  });

  it('is told apart by its pins, and what nobody offers is refused in a sentence', async () => {
    const before = [await environmentDigest(request(), 'sample'), await environmentFolder(request(), 'sample')];
    await writeFile(environmentPins(request(), 'sample'), 'sample-words==2.0\n');
    const now = [await environmentDigest(request(), 'sample'), await environmentFolder(request(), 'sample')];
    for (const [index, value] of now.entries()) assert.notEqual(value, before[index]);
    await assert.rejects(makeEnvironment({ ...request(), say: () => {} }), {
      exit: 'preflight',
      message: 'Cannot make Python environment "sample": No matching distribution found for sample-words==2.0',
    });
    assert.ok(!existsSync(join(now[1] as string, 'zephyr.json')));
  });
});
