// Runs every check in order, streaming, and closes with one line that adds them up: `N passed, N failed, N skipped`.
// `node scripts/test.mjs [--only static|node|python] [FILTER...]`: a filter is a part of a test file's path.
// With ZEPHYR_TEST_REQUIRE=docker,... the machine has promised what those tests need, so a skipped test is a failure.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { filesUnder, root } from './stamp.mjs';

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const bundledNode = join(root, 'node_modules/node/bin/node');
const node = existsSync(bundledNode) ? bundledNode : process.execPath;
const scratch = mkdtempSync(join(tmpdir(), 'zephyr-test-'));
const bin = (name) => join(root, 'node_modules/.bin', name);
const pythonBin = (name) => join(root, '.venv/bin', name);

const layers = [
  { layer: 'static', title: 'Types (tsc)', run: () => check(bin('tsc'), ['-p', '.']) },
  { layer: 'static', title: 'Style (biome)', run: () => check(bin('biome'), ['check', '--error-on-warnings']) },
  { layer: 'static', title: 'Unused code (knip)', run: () => check(bin('knip'), ['--no-progress']) },
  // code that only tests reach is dead as well
  {
    layer: 'static',
    title: 'Code of the program alone (knip)',
    run: () => check(bin('knip'), ['--production', '--no-progress']),
  },
  { layer: 'static', title: 'Python style (ruff)', run: () => check(pythonBin('ruff'), ['check', '--quiet', 'scripts', 'test']) },
  { layer: 'static', title: 'Python types (mypy)', run: () => check(pythonBin('mypy'), ['--no-error-summary']) },
  { layer: 'node', title: 'Tests (node:test)', run: nodeTests },
  { layer: 'python', title: 'Tests (pytest)', run: pythonTests },
];
const chosen = layers.filter(({ layer }) =>
  values.only === undefined ? positionals.length === 0 || layer !== 'static' : layer === values.only,
);
if (chosen.length === 0) {
  process.stderr.write(`error: Cannot run "--only ${values.only}": expected static, node or python\n`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skips: [] };
const failures = [];
for (const { title, run } of chosen) {
  const started = performance.now();
  process.stdout.write(`\n## ${title}\n`);
  const result = await run();
  const { passed, failed, skips } = result;
  if (failed > 0) failures.push(title);
  total.passed += passed;
  total.failed += failed;
  total.skips.push(...skips);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`## ${title}: ${failed === 0 ? 'ok' : 'FAILED'} in ${seconds} s\n`);
}
try {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
} catch (error) {
  process.stdout.write(`\nCannot delete "${scratch}": ${error.message}\n`);
}

const required = process.env.ZEPHYR_TEST_REQUIRE ?? '';
if (total.skips.length > 0) {
  process.stdout.write(`\nSkipped:\n${total.skips.map(({ name, reason }) => `  ${name}: ${reason}\n`).join('')}`);
}
if (failures.length > 0) process.stdout.write(`\nFailed: ${failures.join(', ')}\n`);
const skipsFail = required !== '' && total.skips.length > 0;
if (skipsFail) process.stdout.write(`\nSkipped tests fail here: ZEPHYR_TEST_REQUIRE is "${required}"\n`);
const failed = total.failed + (skipsFail ? total.skips.length : 0);
process.stdout.write(`\n${total.passed} passed, ${failed} failed, ${skipsFail ? 0 : total.skips.length} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;

/** A program that says yes or no counts as one check. */
async function check(program, args) {
  const code = await run(program, args);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skips: [] };
}

async function nodeTests() {
  const files = testFiles('test', '.test.ts');
  if (files.length === 0) return { passed: 0, failed: 0, skips: [] };
  const report = join(scratch, 'node.ndjson');
  const code = await run(node, [
    '--test',
    '--test-concurrency=2',
    // far above the time of any test: it only makes node:test name a test that hangs
    '--test-timeout=900000',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts/test-events.mjs')}`,
    `--test-reporter-destination=${report}`,
    ...files,
  ]);
  const lines = existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n') : [];
  const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  const counts = events.find((event) => event.counts !== undefined)?.counts ?? { passed: 0, failed: 0, cancelled: 0 };
  const skips = events.filter((event) => event.skipped !== undefined).map(({ skipped, reason }) => ({ name: skipped, reason }));
  const bad = counts.failed + counts.cancelled;
  return { passed: counts.passed, failed: code !== 0 && bad === 0 ? 1 : bad, skips };
}

async function pythonTests() {
  const files = testFiles('test/train', '.py').filter((file) => /(^|\/)test_[^/]*\.py$/.test(file));
  if (files.length === 0) return { passed: 0, failed: 0, skips: [] };
  const report = join(scratch, 'pytest.xml');
  const python = join(root, '.venv/bin/python');
  const code = await run(python, ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', `--junitxml=${report}`, ...files]);
  const xml = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const suite = /<testsuite [^>]*>/.exec(xml)?.[0] ?? '';
  const count = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const bad = count('failures') + count('errors');
  const skipped = [...xml.matchAll(/<testcase [^>]*?name="([^"]*)"[^>]*><skipped [^>]*?message="([^"]*)"/g)];
  const skips = skipped.map(([, name, reason]) => ({ name, reason }));
  return { passed: count('tests') - bad - count('skipped'), failed: code !== 0 && bad === 0 ? 1 : bad, skips };
}

function testFiles(folder, ending) {
  const all = filesUnder(folder).filter((path) => path.endsWith(ending));
  return positionals.length === 0 ? all : all.filter((path) => positionals.some((part) => path.includes(part)));
}

/** Runs a program with its output passed on; gives its exit status, 127 if it is not there. */
function run(program, args) {
  // the runner deletes the scratch folder with all that tests leave in it
  const env = { ...process.env, TMPDIR: scratch, PATH: [dirname(node), bin(''), process.env.PATH].join(delimiter) };
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((settle) => {
    child.on('error', (error) => {
      process.stdout.write(`${error.message}\nhint: npm run setup\n`);
      settle(127);
    });
    child.on('close', (code, signal) => {
      if (signal !== null) process.stdout.write(`${program} was ended by ${signal}\n`);
      settle(code ?? 1);
    });
  });
}
