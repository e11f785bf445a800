import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { assertMistake } from '../rig/mistake.ts';
import { cli, type Ended, missing } from '../rig/zephyr.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'zephyr-init-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The built CLI as somebody calls it who has gone to a folder. */
function inFolder(cwd: string, ...args: string[]): Ended {
  const options = {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ZEPHYR_HOME: join(tmpdir(), 'no-zephyr'), NO_COLOR: '1' },
  } as const;
  const { status, ...ended } = spawnSync(process.execPath, [cli, ...args], options);
  return { code: status, ...ended };
}

test('init that is refused writes nothing, so that the next try is not refused for it', { skip: missing() }, async (t) => {
  const here = await folder(t);
  await writeFile(join(here, 'schema'), '');
  assertMistake(
    inFolder(here, 'init'),
    3,
    /Cannot write "schema\/recipe.json": a file is in the way at "schema"/,
    /another folder/,
  );
  assert.deepEqual(await readdir(here), ['schema']);
  await rm(join(here, 'schema'));
  await symlink('/nowhere/at-all', join(here, 'zephyr-7b.yaml'));
  assertMistake(inFolder(here, 'init'), 2, /Cannot write "zephyr-7b.yaml": it is there already/, /empty folder/);
  assert.deepEqual(await readdir(here), ['zephyr-7b.yaml']);
  await rm(join(here, 'zephyr-7b.yaml'));
  assert.equal(inFolder(here, 'init').code, 0);
  assert.equal(inFolder(here, 'init', 'zephyr-7b-published').code, 0);
});

test('init takes the name of the file that it writes for the recipe', { skip: missing() }, async (t) => {
  const here = await folder(t);
  const ended = inFolder(here, 'init', 'zephyr-7b-published.yaml');
  assert.deepEqual([ended.code, ended.stdout], [0, 'zephyr-7b-published.yaml\n'], ended.stderr);
  assert.equal(inFolder(here, 'init', 'zephyr-7b-published').code, 2, 'it is there already');
  assertMistake(inFolder(here, 'init', 'zephr-7b.yaml'), 2, /Cannot begin with recipe "zephr-7b": expected .*zephyr-7b/);
});

test('init in a folder that takes no files says so, and names no home', {
  skip: missing() ?? (process.platform !== 'linux' && 'there is no /proc'),
}, () => {
  const ended = inFolder('/proc', 'init');
  assertMistake(
    ended,
    3,
    /Cannot write "schema\/recipe.json": the file system takes no folders at "schema"/,
    /go to another folder/,
  );
  assert.doesNotMatch(ended.stderr, /ZEPHYR_HOME/);
});

test('a command whose folder is gone says so in a sentence', { skip: missing() }, async (t) => {
  const here = await folder(t);
  // the shell goes there, and only then it is deleted
  const gone = (...args: string[]): Ended => {
    const line = 'cd "$1" && rmdir "$1" && shift && exec "$@"';
    const { status, ...ended } = spawnSync('sh', ['-c', line, 'sh', here, process.execPath, cli, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ZEPHYR_HOME: join(tmpdir(), 'no-zephyr'), NO_COLOR: '1' },
    });
    return { code: status, ...ended };
  };
  const why = /: the folder that the command was called in is gone$/m;
  assertMistake(gone('init'), 3, why);
  await mkdir(here);
  assertMistake(gone('hub', 'import', '.', '--as', 'hf://models/test/gone'), 3, why);
});
