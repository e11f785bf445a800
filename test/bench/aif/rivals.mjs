// The same prompts, pool of four models, judge and fake server for zephyr, distilabel and bespokelabs-curator: speed, memory and
// processor time of a whole run, and what is lost when all of a tool's processes are killed (SIGKILL) part of the way and the
// same command is run again. `node test/bench/aif/rivals.mjs [--prompts 300] [--latencyMs 300] [--jitterMs 400]
// [--concurrency 256] [--rounds 1] [--kill 20,45,70] [--tools zephyr,zephyr-store,distilabel,curator] [--keep]`; needs `npm run setup` and
// pip, which installs the rivals into ~/.cache/zephyr. Figures to read, not a test: machines differ and are shared.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { root } from '../../rig/zephyr.ts';
import { killTree, measured, startCommand, startServer } from './processes.mjs';
import { tools } from './tools.mjs';

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: {
    prompts: text('300'),
    latencyMs: text('300'),
    jitterMs: text('400'),
    concurrency: text('256'),
    rounds: text('1'),
    // no multiples of 12.5, where a tool that asks one model after the other has nothing in flight
    kill: text('20,45,70'),
    tools: text('zephyr,zephyr-store,distilabel,curator'),
    keep: { type: 'boolean', default: false },
  },
});
const prompts = Number(values.prompts);
const kills = values.kill.split(',').filter(Boolean).map(Number);
const MARK = 'Bench prompt';
const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'];
/** A tool that sends and gets nothing for so long hangs. */
const STALL_MS = 45_000;

const folder = mkdtempSync(join(tmpdir(), 'zephyr-rivals-'));
const notes = [];
const rows = [];
try {
  const ready = new Map();
  for (const name of values.tools.split(',')) {
    say(`${name}: made ready`);
    await attempt(name, async () => ready.set(name, { tool: await tools[name].ready(folder), runs: [], killed: [] }));
  }
  // round after round, so that other work on the machine disturbs all alike
  for (let round = 1; round <= Number(values.rounds); round += 1)
    for (const [name, { tool, runs }] of ready) await attempt(name, async () => runs.push(await wholeRun(name, tool, round)));
  for (const [name, { tool, runs, killed }] of ready) {
    if (runs.length === 0) continue;
    for (const percent of kills) killed.push(await killedAt(name, tool, percent));
    rows.push({ name, runs, killed });
  }
} finally {
  if (values.keep) console.log(`Kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
show();

async function attempt(name, work) {
  try {
    await work();
  } catch (error) {
    notes.push(`${name} is missing: ${error.message}`);
  }
}

async function wholeRun(name, tool, round) {
  say(`${name}: whole run ${round}`);
  return await withServer(async (server) => {
    const work = workFolder(`${name}-whole-${round}`);
    const task = taskFor(server);
    const run = await runWith(server, tool.command(task, work), join(work, 'run'));
    const { contents, lastMs, firstMs, mostInFlight, requests } = await server.tally();
    if (run.code !== 0) throw new Error(`it ended with ${run.code}: ${lastLine(work)}`);
    const { missing } = await missingOf(tool, task, work);
    if (missing > 0) notes.push(`${name}: ${missing} results missing in a run that nobody killed`);
    const { seconds, rss, pss, cpuSeconds, processes } = run;
    const whileAsking = contents / ((lastMs - firstMs) / 1000);
    return {
      load: loadavg()[0],
      perSecond: contents / seconds,
      whileAsking,
      rss,
      pss,
      cpuSeconds,
      processes,
      mostInFlight,
      requests,
    };
  });
}

/** Kills at so many percent of the answers, runs the same command again, and counts what had been answered and is lost. */
async function killedAt(name, tool, percent) {
  say(`${name}: killed at ${percent} %`);
  return await withServer(async (server) => {
    const work = workFolder(`${name}-${percent}`);
    const task = taskFor(server);
    const wanted = (percent / 100) * calls(task);
    const { pid, ended } = startCommand(tool.command(task, work), join(work, 'run'));
    let isOver = false;
    const over = ended.then(() => {
      isOver = true;
    });
    while (!isOver && (await server.tally()).contents < wanted) await Promise.race([sleep(10), over]);
    if (isOver) notes.push(`${name}: was done before it could be killed at ${percent} %`);
    await killTree(pid);
    // what is in flight has nobody to go to; then the server is quiet
    while ((await server.tally()).inFlight > 0) await sleep(50);
    await server.mark();
    const before = await server.tally();
    const run = await runWith(server, tool.command(task, work), join(work, 'again'));
    let { missing } = await missingOf(tool, task, work);
    const goesOn = run.code === 0 && missing === 0;
    if (!goesOn) {
      const why =
        run.code === 'hangs' ? 'hangs' : `ends with ${run.code} and ${missing} results missing: ${lastLine(work, 'again')}`;
      notes.push(`${name} killed at ${percent} % cannot go on (${why}), and was begun anew in an empty folder`);
      const anew = workFolder(`${name}-${percent}-anew`);
      await runWith(server, tool.command(task, anew), join(anew, 'run'));
      ({ missing } = await missingOf(tool, task, anew));
    }
    const after = await server.tally();
    if (after.contents > calls(task))
      notes.push(`${name} killed at ${percent} %: ${after.contents - calls(task)} questions differ from those before the kill`);
    return {
      percent,
      answered: before.heard,
      inFlight: before.unheard,
      again: after.answeredAgain,
      missing,
      goesOn,
      lost: after.answeredAgain + missing,
      sent: after.requests,
    };
  });
}

async function withServer(work) {
  const { latencyMs, jitterMs } = values;
  const args = ['--latencyMs', latencyMs, '--jitterMs', jitterMs, '--countOnly', MARK];
  const server = await startServer(join(root, 'test', 'rig', 'load-server.ts'), args);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Every tool gets this, and makes of it what it makes. The judge's instructions are zephyr's; distilabel has its own. */
function taskFor(server) {
  const form = judgeText('form');
  return {
    baseUrl: server.url,
    concurrency: Number(values.concurrency),
    maxTokens: 1024,
    prompts: Array.from(
      { length: prompts },
      (_, number) => `${MARK} ${number}: name three things that come in groups of ${number + 2}, and say in a few words why.`,
    ),
    models: ['pool-one', 'pool-two', 'pool-three', 'pool-four'],
    judge: 'bench-judge',
    aspects: Object.fromEntries(ASPECTS.map((aspect) => [aspect, `${judgeText(aspect)}\n\n${form}`])),
  };
}

function judgeText(name) {
  return readFileSync(join(root, 'scripts', 'train', 'templates', `judge-${name}.md`), 'utf8').trim();
}

function calls(task) {
  return task.prompts.length * (task.models.length + Object.keys(task.aspects).length);
}

async function missingOf(tool, task, work) {
  const { answers, sheets } = await tool.result(task, work);
  return { missing: calls(task) - answers - sheets };
}

function workFolder(name) {
  const work = join(folder, name);
  mkdirSync(work);
  return work;
}

function lastLine(work, run = 'run') {
  return readFileSync(join(work, `${run}.log`), 'utf8')
    .trim()
    .split('\n')
    .at(-1);
}

function runWith(server, command, file) {
  const progress = async () => {
    const { requests, heard, unheard } = await server.tally();
    return requests + heard + unheard;
  };
  return measured(command, file, { progress, stallMs: STALL_MS });
}

function say(what) {
  process.stderr.write(`${what}\n`);
}

function median(figures) {
  return [...figures].sort((a, b) => a - b)[Math.floor((figures.length - 1) / 2)] ?? Number.NaN;
}

function show() {
  const total = prompts * (4 + ASPECTS.length);
  const lost = kills.map((percent) => `lost at ${percent}%`);
  const sent = kills.map((percent) => `sent, ${percent}%`);
  const head = ['tool', 'calls/s', 'asking/s', 'RSS MB', 'PSS MB', 'CPU s', 'procs', 'in flight', 'sent', ...lost, ...sent];
  const table = [head];
  const digits = { perSecond: 1, whileAsking: 1, rss: 0, pss: 0, cpuSeconds: 1, processes: 0, mostInFlight: 0, requests: 0 };
  const compared = ['perSecond', 'whileAsking', 'rss', 'pss', 'cpuSeconds', 'requests'];
  const [first] = rows;
  const ratio = (mine, its) => (its === 0 ? (mine === 0 ? '1.00x' : '-') : `${(mine / its).toFixed(2)}x`);
  for (const { name, runs, killed } of rows) {
    const figures = Object.entries(digits).map(([key, places]) => median(runs.map((run) => run[key])).toFixed(places));
    const lostOf = killed.map(({ lost, goesOn }) => `${lost}${goesOn ? '' : '*'}`);
    table.push([name, ...figures, ...lostOf, ...killed.map((each) => String(each.sent))]);
    if (name === first.name) continue;
    const ratios = Object.keys(digits).map((key) =>
      compared.includes(key) ? `${median(runs.map((run, at) => run[key] / first.runs[at]?.[key])).toFixed(2)}x` : '',
    );
    const after = ['lost', 'sent'].flatMap((key) => killed.map((each, at) => ratio(each[key], first.killed[at][key])));
    table.push([`  to ${first.name}`, ...ratios, ...after]);
  }
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column].length)));
  for (const line of table)
    console.log(line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at] + 2))).join(''));
  console.log(
    [
      '',
      `${prompts} prompts, 4 models, 1 judge with 4 aspects: ${total} calls; answers after ${values.latencyMs} to ${Number(values.latencyMs) + Number(values.jitterMs)} ms; ${availableParallelism()} cores.`,
      `Figures of whole runs are medians of ${values.rounds}, and ratios medians of the ratios within a round.`,
      'calls/s: answered calls by seconds of the whole command; asking/s: by seconds from first to last request.',
      'RSS, PSS: most of all its processes together; PSS counts pages that they share once.',
      'lost: answers sent to the tool before the kill that were asked for again, or that its final result does not hold; *: it could not go on.',
      'sent: all requests, those in flight at the kill included, which nobody can know of.',
      ...rows.map(({ name, runs }) => {
        const each = runs.map(
          ({ perSecond, whileAsking, load }) => `${perSecond.toFixed(1)} (${whileAsking.toFixed(1)}) at ${load.toFixed(1)}`,
        );
        return `${name}, calls/s (asking/s) at the machine's load in each round: ${each.join('; ')}.`;
      }),
      ...rows.flatMap(({ name, killed }) =>
        killed.map(
          ({ percent, answered, inFlight, again, missing }) =>
            `${name} killed at ${percent} %: ${answered} answers sent, ${inFlight} in flight; ${again} asked for again, ${missing} missing at the end.`,
        ),
      ),
      ...notes,
    ].join('\n'),
  );
}
