// Makes a fresh checkout ready: Node packages, Node 24, Python packages in .venv, the bundle in dist/. Needs Node 20,
// npm and Python 3.11 or later. What is ready already is left alone, so it can be run at any time; what was cut short is
// done again, because every part leaves its proof last. `--test` adds what the tests need.
// ZEPHYR_PYTHON names the Python to use; pip and npm take their own settings from the environment as always.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { bundleStamp, root } from './stamp.mjs';

const forTests = process.argv.includes('--test');
const own = (path) => join(root, path);
const bundledNode = own('node_modules/node/bin/node');
const parts = [
  { title: 'Node packages', ready: packagesReady, make: installPackages },
  { title: 'Node 24', ready: () => runtime() !== undefined, make: fetchRuntime },
  { title: 'Python packages', ready: pythonReady, make: installPython },
  { title: 'Bundle', ready: () => readText('dist/stamp') === bundleStamp(), make: bundle },
];

class SetupError extends Error {
  constructor(message, hint, log = '') {
    super(message);
    this.hint = hint;
    this.log = log;
  }
}

try {
  const started = performance.now();
  let made = 0;
  for (const [index, part] of parts.entries()) {
    if (part.ready()) continue;
    made += 1;
    await report(`set-up ${index + 1}/${parts.length}  ${part.title}`, part.make);
    if (!part.ready()) throw new SetupError(`Cannot set up "${part.title}": it ended well but is not there`, 'run it again');
  }
  if (made > 0) say(`set-up done in ${seconds(started)}\n`);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`${error.log === '' ? '' : `${error.log}\n`}error: ${error.message}\nhint: ${error.hint}\n`);
  process.exitCode = 3;
}

// Node packages

/** npm writes node_modules/.package-lock.json last: it must name all that package-lock.json asks for. */
function packagesReady() {
  const installed = JSON.parse(readText('node_modules/.package-lock.json') ?? '{}').packages ?? {};
  const wanted = Object.entries(JSON.parse(readFileSync(own('package-lock.json'), 'utf8')).packages);
  return wanted.every(([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version);
}

async function installPackages() {
  const kept = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(own('node_modules')));
  // engines are met by the Node that these packages bring, not by the one that runs npm
  const args = ['ci', '--no-engine-strict', '--loglevel=error', '--no-fund', '--no-audit'];
  await run('npm', args, 'see the lines above; npm must reach its registry', { env: { PATH: kept.join(delimiter) } });
}

/** The Node that runs the CLI: the one of the lock file, or this one if it is new enough. */
function runtime() {
  if (spawnSync(bundledNode, ['--version']).status === 0) return bundledNode;
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isNew = major > 22 || (major === 22 && minor >= 18);
  return isNew && existsSync(process.execPath) && process.execPath !== bundledNode ? process.execPath : undefined;
}

/** The package "node" fetches its binary in an install script, which npm may have been told not to run. */
async function fetchRuntime() {
  const folder = own('node_modules/node');
  const hint = 'install Node 24 yourself, or let npm run the install script of the package "node"';
  await run(process.execPath, ['installArchSpecificPackage.js'], hint, { cwd: folder });
  if (spawnSync(bundledNode, ['--version']).status === 0) return;
  // so that scripts/zephyr does not start what cannot run here
  rmSync(bundledNode, { force: true });
  throw new SetupError(`Cannot run Node 24 from the package "node" on ${process.platform}-${process.arch}`, hint);
}

// Python

/** The CLI makes environments by the same code. It needs the parts before this one: Node packages, and a Node that reads TypeScript. */
function environmentArgs() {
  return [own('scripts/make-environment.mjs'), ...(forTests ? ['--test'] : [])];
}

function pythonReady() {
  return spawnSync(runtime(), [...environmentArgs(), '--check']).status === 0;
}

async function installPython() {
  const child = spawn(runtime(), environmentArgs(), { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'close');
  // the program has printed its own error
  if (code !== 0) process.exit(code ?? 1);
}

// Bundle

async function bundle() {
  await run(runtime(), [own('scripts/build.mjs')], 'the lines above say where the source does not build');
}

// Running and saying

/** Runs a program in silence; shows its last 40 lines when it fails. */
async function run(program, args, hint, { env = {}, cwd = root } = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const code = await new Promise((settle) => {
    child.on('error', (error) => {
      output += error.message;
      settle(127);
    });
    child.on('close', (status, signal) => settle(status ?? signal));
  });
  if (code === 0) return;
  const command = `${program.replace(`${root}/`, '')} ${args[0]}`;
  throw new SetupError(
    `Cannot run "${command}": it ended with ${code}`,
    hint,
    output.trimEnd().split('\n').slice(-40).join('\n'),
  );
}

async function report(title, make) {
  const started = performance.now();
  const isTerminal = process.stderr.isTTY === true;
  if (!isTerminal) say(`${title} ...\n`);
  const line = () => say(`\r${title} ... ${seconds(started)} `);
  const timer = isTerminal ? setInterval(line, 1000) : undefined;
  if (isTerminal) line();
  try {
    await make();
    say(isTerminal ? `\r${title}: ${seconds(started)}      \n` : `${title}: ${seconds(started)}\n`);
  } catch (error) {
    if (isTerminal) say('\n');
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function say(text) {
  process.stderr.write(text);
}

function readText(path) {
  return existsSync(own(path)) ? readFileSync(own(path), 'utf8') : undefined;
}
