import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';

/** A checkout with the launcher and a CLI that tells its arguments, its Node and the signals it gets. */
function checkout(t: TestContext): string {
  // a space, because checkouts are where people put them
  const root = mkdtempSync(join(tmpdir(), 'zephyr launcher-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const folder of ['scripts', 'dist', 'bin']) mkdirSync(join(root, folder));
  copyFileSync('scripts/zephyr', join(root, 'scripts/zephyr'));
  writeFileSync(join(root, 'scripts/setup.mjs'), '');
  writeFileSync(
    join(root, 'dist/cli.js'),
    `console.log(JSON.stringify({ args: process.argv.slice(2), pid: process.pid }));
     if (process.argv[2] === 'wait') { process.on('SIGINT', () => process.exit(130)); setInterval(() => {}, 1000); }`,
  );
  writeFileSync(join(root, 'dist/package.json'), '{"type":"module"}');
  return root;
}

/** A program named node that claims a version. */
function fakeNode(root: string, version: string): string {
  writeFileSync(
    join(root, 'bin/node'),
    `#!/bin/sh\n[ "$1" = --version ] && { echo ${version}; exit; }\nexec '${process.execPath}' "$@"\n`,
  );
  chmodSync(join(root, 'bin/node'), 0o755);
  return `${join(root, 'bin')}:/usr/bin:/bin`;
}

test('arguments reach the CLI unchanged, through links and from any folder', (t) => {
  const root = checkout(t);
  symlinkSync('../scripts/zephyr', join(root, 'bin/first'));
  symlinkSync(join(root, 'bin/first'), join(root, 'bin/zephyr'));
  const args = ['plan', 'a b', '', '--set', 'x="*"'];
  const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  const { stdout, stderr } = spawnSync(join(root, 'bin/zephyr'), args, { cwd: tmpdir(), env: { PATH }, encoding: 'utf8' });
  assert.deepEqual(JSON.parse(stdout).args, args, stderr);
});

test('the Node of the checkout goes before the one on the PATH', (t) => {
  const root = checkout(t);
  mkdirSync(join(root, 'node_modules/node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(root, 'node_modules/node/bin/node'));
  const { status, stderr } = spawnSync(join(root, 'scripts/zephyr'), {
    env: { PATH: fakeNode(root, 'v20.1.0') },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});

test('a Node that is too old is refused by name, one that is just new enough is taken', (t) => {
  const root = checkout(t);
  const start = (version: string) =>
    spawnSync(join(root, 'scripts/zephyr'), { env: { PATH: fakeNode(root, version) }, encoding: 'utf8' });
  for (const old of ['v18.20.0', 'v20.20.2', 'v22.17.9']) {
    const { status, stderr } = start(old);
    assert.equal(status, 3);
    assert.match(
      stderr,
      new RegExp(`^error: Cannot start zephyr with Node ${old}: expected 22.18 or later\nhint: npm run setup`),
    );
  }
  for (const fit of ['v22.18.0', 'v24.0.0', 'v100.1.0']) assert.equal(start(fit).status, 0);
});

test('a checkout without a bundle says how to make one', (t) => {
  const root = checkout(t);
  rmSync(join(root, 'dist/cli.js'));
  const { status, stderr } = spawnSync(join(root, 'scripts/zephyr'), { encoding: 'utf8' });
  assert.equal(status, 3);
  assert.match(stderr, /^error: Cannot start zephyr: ".*dist\/cli.js" is missing\nhint: npm run setup \(in .*\)\n$/);
});

test('an installed package, which holds no set-up, asks for Node alone', (t) => {
  const root = checkout(t);
  rmSync(join(root, 'scripts/setup.mjs'));
  const { stderr } = spawnSync(join(root, 'scripts/zephyr'), { env: { PATH: fakeNode(root, 'v20.1.0') }, encoding: 'utf8' });
  assert.match(stderr, /expected 22.18 or later\nhint: install Node 24\n$/);
});

test('the launcher becomes the CLI, so that a signal reaches it', async (t) => {
  const root = checkout(t);
  const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  const child = spawn(join(root, 'scripts/zephyr'), ['wait'], { env: { PATH }, stdio: ['ignore', 'pipe', 'inherit'] });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  assert.equal(JSON.parse(first.toString()).pid, child.pid);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  // 130, or ended by the signal if it came before the handler
  assert.ok(code === 130 || child.signalCode === 'SIGINT');
});
