import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { missing, root } from '../rig/zephyr.ts';

const run = promisify(execFile);
/** `first`: until the packages that it installed have made the base model; `whole`: to the table. Some gigabytes, so not by default. */
const rehearsal = process.env.ZEPHYR_TEST_PACKAGE;
/** A registry that nobody is: the port of discard, where nothing listens. */
const NOWHERE = {
  PIP_CONFIG_FILE: '/dev/null',
  PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
  PIP_RETRIES: '0',
  PIP_FIND_LINKS: '',
};
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);

describe('The packed package', { skip: missing(), concurrency: false }, () => {
  let place: string;
  let tarball: string;
  const installed = () => join(place, 'project/node_modules/.bin/zephyr');

  before(async () => {
    place = await mkdtemp(join(tmpdir(), 'zephyr package-'));
    for (const folder of ['project', 'global', 'empty', 'home']) await mkdir(join(place, folder));
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', place], { cwd: root });
    tarball = join(place, (await readdir(place)).find((name) => name.endsWith('.tgz')) ?? assert.fail('no tarball'));
    await writeFile(join(place, 'project/package.json'), '{}');
    const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
    await run('npm', ['install', ...quiet, tarball], { cwd: join(place, 'project') });
    await run('npm', ['install', ...quiet, '--global', '--prefix', join(place, 'global'), tarball]);
  });
  after(async () => await rm(place, { recursive: true, force: true }));

  /** In an empty folder, for a user who has nothing yet. */
  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}, program = installed()): ChildProcess {
    const { XDG_CACHE_HOME: _, ZEPHYR_HOME: __, ...kept } = process.env;
    const own = { ...kept, PATH, HOME: join(place, 'home'), NO_COLOR: '1', ...env };
    return spawn(program, args, { cwd: join(place, 'empty'), env: own, stdio: ['ignore', 'pipe', 'pipe'] });
  }
  async function zephyr(...given: Parameters<typeof start>) {
    const child = start(...given);
    const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
    const [code] = await once(child, 'close');
    return { code: code as number, stdout: out.text, stderr: err.text };
  }

  it('brings what package.json names, from a project and for the whole user, and no tool of its makers', async () => {
    const { version, dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    for (const program of [installed(), join(place, 'global/bin/zephyr')])
      assert.deepEqual(await zephyr(['--version'], {}, program), { code: 0, stdout: `${version}\n`, stderr: '' });
    for (const name of Object.keys(dependencies)) assert.ok(existsSync(join(place, 'project/node_modules', name)), name);
    for (const name of ['esbuild', 'node', 'yaml', 'typescript'])
      assert.ok(!existsSync(join(place, 'project/node_modules', name)), name);
  });

  it('begins a recipe in an empty folder, which loads and whose schema is there, and overwrites nothing', async () => {
    const { code, stdout, stderr } = await zephyr(['init']);
    assert.deepEqual([code, stdout], [0, 'zephyr-7b.yaml\n'], stderr);
    const text = await readFile(join(place, 'empty/zephyr-7b.yaml'), 'utf8');
    const schema = /\$schema=(\S+)/.exec(text)?.[1] ?? assert.fail('it names no schema');
    assert.equal(JSON.parse(await readFile(join(place, 'empty', schema), 'utf8')).type, 'object');
    assert.doesNotMatch(text, /configs\//);
    const planned = await zephyr(['plan', 'zephyr-7b.yaml', '--rehearsal']);
    assert.equal(planned.code, 0, planned.stderr);
    await writeFile(join(place, 'empty/zephyr-7b.yaml'), 'mine');
    const again = await zephyr(['init']);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /^error: Cannot write "zephyr-7b.yaml": it is there already\nhint: .*\n$/);
    assert.equal(await readFile(join(place, 'empty/zephyr-7b.yaml'), 'utf8'), 'mine');
    await rm(join(place, 'empty'), { recursive: true });
    await mkdir(join(place, 'empty'));
  });

  it('says in a sentence that it cannot fetch its Python packages, and nothing of a checkout', async () => {
    const { code, stderr } = await zephyr(['rehearse', 'zephyr-7b'], NOWHERE);
    assert.equal(code, 75, stderr);
    assert.match(stderr, /\nerror: Cannot make Python environment "train": the package index cannot be reached\nhint: .*\n$/);
    assert.doesNotMatch(stderr, /Traceback|npm run setup|import /);
    const none = await zephyr(['rehearse', 'zephyr-7b'], { ZEPHYR_PYTHON: 'no-such-python' });
    assert.equal(none.code, 3);
    assert.match(none.stderr, /^error: Cannot find Python 3.11 or later: no no-such-python on the PATH\nhint: .*\n$/);
  });

  it('rehearses by name with nothing but the cache that it fills', {
    skip: rehearsal === undefined && 'ZEPHYR_TEST_PACKAGE is not set',
  }, async () => {
    // to compile what is installed takes longer than all else, and what runs once needs no more of it than it imports
    const child = start(['rehearse', 'zephyr-7b'], { PIP_NO_COMPILE: '1', ...wheels() });
    const said = textOf(child.stderr);
    const ended = once(child, 'close');
    if (rehearsal === 'whole') {
      const [code] = await ended;
      assert.equal(code, 0, said.text);
    } else {
      const isDone = () => /^\S+ setup/m.test(said.text) && /setup {2}done in/.test(said.text);
      while (child.exitCode === null && !isDone()) await Promise.race([once(child.stderr ?? assert.fail(), 'data'), ended]);
      assert.ok(isDone(), said.text);
      child.kill('SIGINT');
      await ended;
      const run = /zephyr cancel (\S+)/.exec(said.text)?.[1];
      if (run !== undefined) await zephyr(['cancel', run]);
    }
    assert.match(said.text, /Python environment "train": made in /);
    const made = await readdir(join(place, 'home/.cache/zephyr/environments'));
    assert.equal(made.filter((name) => /^train-[0-9a-f]+$/.test(name)).length, 1, made.join(' '));
    // the wheels are those of training alone
    if (process.env.ZEPHYR_TEST_WHEELS !== undefined) assert.match(said.text, /"lm-eval": not here, eval goes without harness/);
  });
});

/** The wheels that scripts/ci/docker-image.sh collected, if it did for this Python: then nothing is downloaded. */
function wheels(): Record<string, string> {
  const found = process.env.ZEPHYR_TEST_WHEELS;
  return found === undefined ? {} : { PIP_NO_INDEX: '1', PIP_FIND_LINKS: found };
}

/** What a stream has said so far. */
function textOf(stream: ChildProcess['stdout']): { text: string } {
  const said = { text: '' };
  stream?.setEncoding('utf8').on('data', (text: string) => {
    said.text += text;
  });
  return said;
}
