// The clients' own test suites against `zephyr hub serve`: huggingface_hub's as its source package on PyPI carries them,
// @huggingface/hub's as its npm package does. What asks the public Hub or needs Xet is left out. Prints for each suite how
// many tests passed, and which did not.
// `node test/bench/hub-suites.mjs python [TEST_FILE...]` or `... javascript [SPEC...]`; needs `npm run setup`, `npm run build`
// and the package registries. SUITE_CLI names another build of zephyr, for a figure to compare with.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [suite, ...filters] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'zephyr-suites-'));
const python = join(root, '.venv/bin/python');
const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };

/** Why a spec that asks the public Hub says nothing about ours. */
const ELSEWHERE = 'not the embedded Hub';

/** Starts the Hub and reads what it prints for shells. */
async function serve() {
  const cli = process.env.SUITE_CLI ?? join(root, 'dist/cli.js');
  const child = spawn(process.execPath, [cli, 'hub', 'serve', '--port', '0'], {
    env: { ...process.env, ZEPHYR_HOME: join(work, 'home') },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  for await (const piece of child.stdout) {
    said += piece;
    if (said.includes('HF_HUB_DISABLE_XET')) break;
  }
  const named = (name) => new RegExp(`${name}=(.*)`).exec(said)[1];
  return { child, url: named('HF_ENDPOINT'), token: readFileSync(named('HF_TOKEN_PATH'), 'utf8').trim() };
}

/** Those of the Python tests that ask a Hub at all; the rest test Python. */
const ASKING = [
  'auth cache_layout cache_no_symlinks cli commit_api commit_scheduler copy_files cli_errors file_download hf_api',
  'hf_file_system hub_mixin lfs local_folder repocard shared_blobs snapshot_download tree_cache upload_large_folder',
  'upload_pipeline utils_cache utils_http utils_pagination verification',
]
  .join(' ')
  .split(' ');

function runPython({ url, token }) {
  const version = execFileSync(python, ['-c', 'import huggingface_hub; print(huggingface_hub.__version__)']).toString().trim();
  const pip = (...args) => execFileSync(python, ['-m', 'pip', '--quiet', ...args], quiet);
  pip('download', '--no-deps', '--no-binary', ':all:', '--dest', work, `huggingface_hub==${version}`);
  pip('install', '--no-deps', '--target', join(work, 'packages'), 'pytest-mock', 'pytest-asyncio', 'jedi', 'parso', 'Pillow');
  execFileSync('tar', ['xzf', join(work, `huggingface_hub-${version}.tar.gz`), '-C', work]);
  const folder = join(work, `huggingface_hub-${version}`);
  writeFileSync(join(folder, 'tests/__init__.py'), '');
  cpSync(join(root, 'test/bench/hub-suites/conftest.py'), join(folder, 'tests/conftest.py'));
  const files = (filters.length > 0 ? filters : ASKING).map((name) => `tests/test_${name}.py`);
  const report = join(work, 'report.xml');
  const options = ['-q', '--tb=short', '-p', 'no:cacheprovider', '-o', 'addopts=', '-o', 'log_cli=false', `--junitxml=${report}`];
  const done = spawnSync(python, ['-m', 'pytest', ...options, ...files], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: work,
      TMPDIR: work,
      PYTHONPATH: join(work, 'packages'),
      HF_ENDPOINT: url,
      SUITE_TOKEN: token,
      HF_HUB_DISABLE_XET: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (done.error !== undefined) throw done.error;
  return [
    ...readFileSync(report, 'utf8').matchAll(
      /<testcase classname="([^"]*)" name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g,
    ),
  ].map(([, file, name, inside = '']) => ({
    file: file.split('.')[1],
    name,
    state: /<(failure|error|skipped)/.exec(inside)?.[1] ?? 'passed',
    why: /message="([^"]{0,300})/.exec(inside)?.[1] ?? '',
  }));
}

/** The specs read public repos without a token, which this Hub asks for always; and none is to ask the public Hub. */
const setup = (url, token) => `
const plain = globalThis.fetch;
globalThis.fetch = async (input, init = {}) => {
  const request = new Request(input, { duplex: 'half', ...init });
  if (!request.url.startsWith(${JSON.stringify(url)})) throw new TypeError('${ELSEWHERE}');
  if (!request.headers.has('Authorization') && !request.url.includes('/api/lfs?')) request.headers.set('Authorization', 'Bearer ${token}');
  return plain(request);
};
`;

function runJavaScript({ url, token }) {
  const folder = join(work, 'hub');
  cpSync(join(root, 'node_modules/@huggingface/hub'), folder, { recursive: true });
  const consts = { TEST_HUB_URL: url, TEST_USER: 'hub.js', TEST_ACCESS_TOKEN: token, TEST_COOKIE: '' };
  const lines = Object.entries(consts).map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`);
  writeFileSync(join(folder, 'src/test/consts.ts'), lines.join(''));
  mkdirSync(join(work, 'node_modules'));
  writeFileSync(join(work, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', 'vitest', '@huggingface/tasks', '@huggingface/xetchunk-wasm'], {
    ...quiet,
    cwd: work,
  });
  writeFileSync(join(folder, 'setup.ts'), setup(url, token));
  writeFileSync(join(folder, 'vitest.config.mjs'), "export default { test: { setupFiles: ['./setup.ts'] } };\n");
  const report = join(work, 'report.json');
  const specs = filters.length > 0 ? filters : ['src/lib'];
  spawnSync(join(work, 'node_modules/.bin/vitest'), ['run', '--reporter=json', `--outputFile=${report}`, ...specs], {
    cwd: folder,
    stdio: 'ignore',
  });
  return JSON.parse(readFileSync(report, 'utf8')).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((each) => ({
      file: name.slice(name.lastIndexOf('/') + 1),
      name: each.fullName,
      state: stateOf(each),
      why: (each.failureMessages?.[0] ?? '').slice(0, 300),
    })),
  );
}

function stateOf({ status, failureMessages }) {
  if (status === 'failed') return failureMessages.some((text) => text.includes(ELSEWHERE)) ? 'skipped' : 'failure';
  return status === 'passed' ? 'passed' : 'skipped';
}

const hub = await serve();
try {
  const results = suite === 'javascript' ? runJavaScript(hub) : runPython(hub);
  const whole = (state) => results.filter((each) => each.state === state).length;
  console.log(`all: ${whole('passed')} of ${results.length - whole('skipped')} passed`);
  for (const file of new Set(results.map((each) => each.file))) {
    const of = results.filter((each) => each.file === file);
    const count = (state) => of.filter((each) => each.state === state).length;
    console.log(`${file}: ${count('passed')} of ${of.length - count('skipped')} passed`);
  }
  for (const { file, name, state, why } of results.filter((each) => each.state === 'failure' || each.state === 'error'))
    console.log(`${state} ${file} ${name}\n  ${why.split('\n')[0]}`);
} finally {
  hub.child.kill('SIGINT');
  rmSync(work, { recursive: true, force: true });
}
