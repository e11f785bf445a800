import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';

/** A checkout whose npm and bundler are two-line programs that log each call; Python is the real one. */
function checkout(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'zephyr-setup-'));
  t.after(() => rmSync(root, { recursive: true }));
  const calls = join(root, 'calls');
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), mode);
  };
  const lock = JSON.stringify({
    packages: {
      '': {},
      'node_modules/one': { version: '1.0.0' },
      'node_modules/other-system': { version: '2.0.0', optional: true },
    },
  });
  write('package-lock.json', lock);
  write('package.json', '{"type":"module"}');
  cpSync('src', join(root, 'src'), { recursive: true });
  write('src/cli.ts', 'export {};');
  write('scripts/train/environments/train/requirements.txt', '');
  write('scripts/train/environments/train/requirements-test.txt', '# what tests need');
  copyFileSync('scripts/train/environments/make.py', join(root, 'scripts/train/environments/make.py'));
  for (const name of ['setup.mjs', 'stamp.mjs', 'make-environment.mjs'])
    copyFileSync(`scripts/${name}`, join(root, 'scripts', name));
  write(
    'scripts/build.mjs',
    `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'; import { bundleStamp, root } from './stamp.mjs';
     appendFileSync('${calls}', 'build\\n'); mkdirSync(root + '/dist', { recursive: true }); writeFileSync(root + '/dist/stamp', bundleStamp());`,
  );
  write(
    'bin/npm',
    `#!/bin/sh\necho npm $1 >> '${calls}'\n[ -e '${root}/broken' ] && { echo no registry; exit 1; }\nmkdir -p '${root}/node_modules' && ln -sfn '${resolve('node_modules')}'/zod '${resolve('node_modules')}'/execa '${root}/node_modules' && cp '${root}/package-lock.json' '${root}/node_modules/.package-lock.json'\n`,
    0o755,
  );
  const run = (options: { args?: string[]; env?: NodeJS.ProcessEnv } = {}) => {
    rmSync(calls, { force: true });
    const env = {
      ...process.env,
      PATH: `${join(root, 'bin')}:${process.env.PATH}`,
      XDG_CACHE_HOME: join(root, 'cache'),
      ...options.env,
    };
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs'), ...(options.args ?? [])], {
      env,
      encoding: 'utf8',
    });
    return { status, stderr, calls: existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [] };
  };
  return { root, run, write };
}

test('a set-up is made once, then only what changed is made again', (t) => {
  const { root, run, write } = checkout(t);
  const first = run();
  assert.equal(first.status, 0, first.stderr);
  assert.deepEqual(first.calls, ['npm ci', 'build']);
  assert.match(first.stderr, /set-up 1\/4 {2}Node packages[\s\S]*set-up 3\/4 {2}Python packages[\s\S]*set-up done in/);

  assert.deepEqual(run(), { status: 0, stderr: '', calls: [] });

  write('src/cli.ts', 'export const changed = 1;');
  assert.deepEqual(run().calls, ['build']);

  write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/one': { version: '1.0.1' } } }));
  assert.deepEqual(run().calls, ['npm ci', 'build']);

  // a set-up for tests holds for all; one without does not hold for tests
  const forTests = run({ args: ['--test'] });
  assert.match(forTests.stderr, /^set-up 3\/4 {2}Python packages/);
  assert.equal(run().stderr, '');

  // cut short: the proof is written last
  rmSync(join(root, '.venv/zephyr.json'));
  assert.match(run().stderr, /^set-up 3\/4 {2}Python packages/);
  assert.ok(existsSync(join(root, '.venv/zephyr.json')));
});

test('an npm that fails is shown with what it said', (t) => {
  const { run, write } = checkout(t);
  write('broken', '');
  const { status, stderr } = run();
  assert.equal(status, 3);
  assert.match(stderr, /no registry\nerror: Cannot run "npm ci": it ended with 1\nhint: /);
});

test('a machine without a fit Python is told so', (t) => {
  const { run, write } = checkout(t);
  write('bin/oldpython', '#!/bin/sh\necho 3.9.18\n', 0o755);
  const old = run({ env: { ZEPHYR_PYTHON: 'oldpython' } });
  assert.equal(old.status, 3);
  assert.match(old.stderr, /error: Cannot find Python 3.11 or later: oldpython is 3.9.18\nhint: /);
  const none = run({ env: { ZEPHYR_PYTHON: 'no-such-python' } });
  assert.match(none.stderr, /error: Cannot find Python 3.11 or later: no no-such-python on the PATH\n/);
});

test('a Python without venv is told apart from a missing one', (t) => {
  const { run, write } = checkout(t);
  write('bin/barepython', '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\necho 3.12.1\n', 0o755);
  const { status, stderr } = run({ env: { ZEPHYR_PYTHON: 'barepython' } });
  assert.equal(status, 3);
  assert.match(
    stderr,
    /error: Cannot make a virtual environment: the module venv is missing .*\nhint: .*apt-get install python3-venv\n/,
  );
});
