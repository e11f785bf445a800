import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { environmentDigest, environmentFolder, environmentPins, environmentPython } from '../../src/backends/environments.ts';
import { isMade, makeEnvironment } from '../../src/backends/make-environment.ts';
import { openBackend } from '../../src/backends/registry.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { ROOT } from '../rig/job-rig.ts';

/** Wheels of one module each, since no test may ask an index: NAME==VERSION, with what it needs after a colon. */
const WHEEL = `
import sys, zipfile
for pin in sys.argv[2:]:
    pin, _, needed = pin.partition(":")
    name, version = pin.split("==")
    stem = name.replace("-", "_")
    with zipfile.ZipFile(f"{sys.argv[1]}/{stem}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.py", f"WORD = 'sample'; VERSION = '{version}'")
        needs = f"Requires-Dist: {needed}\\n" if needed else ""
        wheel.writestr(f"{stem}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{needs}")
        wheel.writestr(f"{stem}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{stem}-{version}.dist-info/RECORD", "")
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
    execFileSync('python3', ['-c', WHEEL, join(home, 'wheels'), 'sample-words==1.0']);
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

describe('A Python environment that extends another', () => {
  let home: string;
  const settings = () => ({ PATH: process.env.PATH ?? '', HOME: home, PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(home, 'wheels') });
  const place = () => ({ root: join(home, 'root'), cache: join(home, 'cache') });
  const folder = (name: string) => join(home, 'root/scripts/train/environments', name);
  const make = async (name: string, given = {}) =>
    await makeEnvironment({ ...place(), given, name, env: settings(), say: () => {} });
  const open = async (options: object) => {
    const hub = await openLocalHub(join(home, 'hub'));
    return (await openBackend({ backend: 'process', options }, { ...place(), host: 'here/boot', jobs: join(home, 'jobs'), hub }))
      .scheduler;
  };
  /** Version and folder of a module, as an interpreter finds it. */
  const seen = (python: string, module: string) =>
    execFileSync(python, ['-c', `import ${module} as it; print(it.VERSION, it.__file__)`], { encoding: 'utf8' })
      .trim()
      .split(' ');

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'zephyr-extended-'));
    for (const name of ['base', 'more']) await mkdir(folder(name), { recursive: true });
    await mkdir(join(home, 'wheels'));
    await cp(join(ROOT, 'scripts/train/environments/make.py'), folder('make.py'));
    await writeFile(join(folder('base'), 'requirements.txt'), 'sample-words==1.0\nSample_Deeds==1.0\n');
    await writeFile(join(folder('more'), 'base'), 'base\n');
    await writeFile(join(folder('more'), 'requirements.txt'), 'sample-more==1.0\nsample-deeds==2.0\n');
    await writeFile(
      join(folder('more'), 'bake.py'),
      "import sys, sample_words; open(sys.prefix + '/baked', 'w').write(sample_words.WORD)",
    );
    // a newer one of each is there for pip to prefer
    const wheels = ['words', 'deeds'].flatMap((name) => ['1.0', '2.0'].map((version) => `sample-${name}==${version}`));
    execFileSync('python3', ['-c', WHEEL, join(home, 'wheels'), ...wheels, 'sample-more==1.0:sample-words']);
  });
  after(async () => await rm(home, { recursive: true }));

  it('sees the packages of that one as they are, and adds what it pins beside them', async () => {
    const scheduler = await open({});
    const names = (await scheduler.unmade?.(['more'])) ?? [];
    assert.deepEqual(names, ['base', 'more']);
    for (const name of names) await make(name);
    assert.deepEqual(await scheduler.unmade?.(['more']), []);
    await scheduler.check(['more']);
    const [base, more] = [await environmentPython(place(), 'base'), await environmentPython(place(), 'more')];
    const [ofBase, ofMore] = [join(base, '../..'), join(more, '../..')];
    assert.deepEqual(
      ['sample_words', 'sample_deeds', 'sample_more'].map((name) => {
        const [version, file = ''] = seen(more, name);
        return [name, version, file.startsWith(ofMore) ? 'more' : file.startsWith(ofBase) ? 'base' : file];
      }),
      [
        ['sample_words', '1.0', 'base'],
        ['sample_deeds', '2.0', 'more'],
        ['sample_more', '1.0', 'more'],
      ],
    );
    assert.equal(seen(base, 'sample_deeds')[0], '1.0');
    assert.equal(await readFile(join(ofMore, 'baked'), 'utf8'), 'sample');
  });

  it('is told by the pins of both, as `sha256sum` says them, and by the place that it points to', async () => {
    const digest = await environmentDigest(place(), 'more');
    const files = ['base', 'more'].map((name) => environmentPins(place(), name));
    const said = execFileSync('sh', ['-c', 'cat "$0" "$1" | sha256sum', ...files], { encoding: 'utf8' });
    assert.equal(digest, said.split(' ')[0]);
    assert.equal(
      await environmentDigest(place(), 'base'),
      execFileSync('sha256sum', [files[0] as string], { encoding: 'utf8' }).split(' ')[0],
    );
    const here = await environmentFolder(place(), 'more');
    assert.notEqual(await environmentFolder({ ...place(), given: { base: '/elsewhere/bin/python' } }, 'more'), here);
    await writeFile(files[0] as string, 'sample-words==1.0\nsample-deeds==1.0\n');
    assert.notEqual(await environmentDigest(place(), 'more'), digest);
    assert.notEqual(await environmentFolder(place(), 'more'), here);
  });

  it('lies on the interpreter that a target names for that one, which must hold its pins', async () => {
    await make('base');
    const python = await environmentPython(place(), 'base');
    const scheduler = await open({ pythons: { base: python } });
    assert.deepEqual(await scheduler.unmade?.(['more']), ['more']);
    await make('more', { base: python });
    assert.deepEqual(await scheduler.unmade?.(['more']), []);
    await rm(join(python, '../../lib'), { recursive: true });
    await assert.rejects(scheduler.check(['more']), { exit: 'preflight', message: /Cannot run Python|lacks sample-words 1\.0/ });
  });

  it('extends none that extends another, and says where that is written', async () => {
    await mkdir(folder('most'));
    await writeFile(join(folder('most'), 'base'), 'more\n');
    await writeFile(join(folder('most'), 'requirements.txt'), '');
    await assert.rejects(environmentFolder(place(), 'most'), {
      exit: 'preflight',
      message: 'Cannot extend Python environment "more" by "most": it extends another one itself',
    });
  });
});
