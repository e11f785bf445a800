import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

/** Runs scripts/test.mjs over test files of our own; gives its status and its lines. */
function runTests(t: TestContext, files: Readonly<Record<string, string>>, options: { args?: string[]; require?: string } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'zephyr-runner-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'scripts'));
  mkdirSync(join(root, 'test'));
  for (const name of ['test.mjs', 'test-events.mjs', 'stamp.mjs']) copyFileSync(`scripts/${name}`, join(root, 'scripts', name));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(root, 'test', name), `import { describe, test } from 'node:test';\n${text}`);
  }
  const { NODE_TEST_CONTEXT: _, ZEPHYR_TEST_REQUIRE: __, ...env } = process.env;
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, 'scripts/test.mjs'), '--only', 'node', ...(options.args ?? [])],
    {
      env: options.require === undefined ? env : { ...env, ZEPHYR_TEST_REQUIRE: options.require },
      encoding: 'utf8',
    },
  );
  const lines = stdout.trimEnd().split('\n');
  return { status, lines, last: lines.at(-1) };
}

const PASSES = "test('one', () => {}); describe('two', () => { test('three', () => {}); });";
const SKIPS =
  "test('four', { skip: 'no moon' }, () => {}); describe('five', { skip: 'no sun' }, () => { test('six', () => {}); });";

test('the last line adds up what passed, and there is one such line', (t) => {
  const { status, lines, last } = runTests(t, { 'a.test.ts': PASSES, 'b.test.ts': PASSES });
  assert.equal(last, '4 passed, 0 failed, 0 skipped');
  assert.equal(status, 0);
  assert.equal(lines.filter((line) => /^\d+ passed, \d+ failed/.test(line)).length, 1);
});

test('skipped tests and groups are listed with their reasons', (t) => {
  const { status, lines, last } = runTests(t, { 'a.test.ts': PASSES + SKIPS });
  assert.equal(last, '2 passed, 0 failed, 2 skipped');
  assert.deepEqual(
    lines.filter((line) => / {2}(four|five): /.test(line)),
    ['  four: no moon', '  five: no sun'],
  );
  assert.equal(status, 0);
});

test('where a machine has promised what tests need, a skip is a failure', (t) => {
  const { status, last } = runTests(t, { 'a.test.ts': PASSES + SKIPS }, { require: 'docker' });
  assert.equal(last, '2 passed, 2 failed, 0 skipped');
  assert.equal(status, 1);
});

test('a failing test and a file that cannot be read both count', (t) => {
  const failing = "test('seven', () => { throw new Error('no'); });";
  const { status, last } = runTests(t, { 'a.test.ts': PASSES + failing, 'b.test.ts': "throw new Error('on import');" });
  assert.equal(last, '2 passed, 2 failed, 0 skipped');
  assert.equal(status, 1);
});

test('a filter picks test files by a part of their path', (t) => {
  const { last } = runTests(t, { 'a.test.ts': PASSES, 'b.test.ts': SKIPS }, { args: ['a.test'] });
  assert.equal(last, '2 passed, 0 failed, 0 skipped');
});
