// The same prompts, pool of four models, judge and fake server for zephyr, distilabel and bespokelabs-curator: speed, memory and
// processor time of a whole run, and what is lost when all of a tool's processes are killed (SIGKILL) part of the way and the
// same command is run again. `node test/bench/aif/rivals.mjs [--prompts 300] [--latencyMs 300] [--jitterMs 400]
// [--concurrency 256] [--kill 25,50,75] [--tools zephyr,zephyr-store,distilabel,curator] [--keep]`; needs `npm run setup` and
// pip, which installs the rivals into ~/.cache/zephyr. Figures to read, not a test: machines differ and are shared.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
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
    kill: text('25,50,75'),
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
  for (const name of values.tools.split(',')) {
    try {
      rows.push(await row(name, await tools[name].ready(folder)));
    } catch (error) {
      notes.push(`${name} is missing: ${error.message}`);
    }
  }
} finally {
  if (values.keep) console.log(`Kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
show();

async function row(name, tool) {
  say(`${name}: a whole run`);
  const whole = await withServer(async (server) => {
    const work = workFolder(`${name}-whole`);
    const task = taskFor(server);
    const run = await runWith(server, tool.command(task, work), join(work, 'run'));
    const tally = await server.tally();
    const { missing } = await missingOf(tool, task, work);
    if (run.code !== 0) throw new Error(`it ended with ${run.code}: ${lastLine(work)}`);
    if (missing > 0) notes.push(`${name}: ${missing} results missing in a run that nobody killed`);
    return { ...run, tally };
  });
  const killed = [];
  for (const percent of kills) killed.push(await killedAt(name, tool, percent));
  const { tally } = whole;
  return {
    name,
    figures: {
      perSecond: tally.contents / whole.seconds,
      whileAsking: tally.contents / ((tally.lastMs - tally.firstMs) / 1000),
      rss: whole.rss,
      pss: whole.pss,
      cpu: whole.cpuSeconds,
    },
    inFlight: tally.mostInFlight,
    processes: whole.processes,
    sent: tally.requests,
    killed,
  };
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

function show() {
  const total = prompts * (4 + ASPECTS.length);
  const lost = kills.map((percent) => `lost at ${percent}%`);
  const sent = kills.map((percent) => `sent, ${percent}%`);
  const head = ['tool', 'calls/s', 'asking/s', 'RSS MB', 'PSS MB', 'CPU s', 'procs', 'in flight', 'sent', ...lost, ...sent];
  const table = [head];
  const digits = { perSecond: 1, whileAsking: 1, rss: 0, pss: 0, cpu: 1 };
  const [first] = rows;
  for (const { name, figures, processes, inFlight, sent, killed } of rows) {
    const own = Object.entries(figures).map(([key, value]) => value.toFixed(digits[key]));
    const after = [
      killed.map(({ lost, goesOn }) => `${lost}${goesOn ? '' : '*'}`),
      killed.map(({ sent }) => String(sent)),
    ].flat();
    table.push([name, ...own, String(processes), String(inFlight), String(sent), ...after]);
    if (name === first.name) continue;
    const ratio = (mine, its) => (its === 0 ? (mine === 0 ? '1.00x' : '-') : `${(mine / its).toFixed(2)}x`);
    const ratios = Object.entries(figures).map(([key, value]) => ratio(value, first.figures[key]));
    const afterRatios = ['lost', 'sent'].flatMap((key) => killed.map((each, at) => ratio(each[key], first.killed[at][key])));
    table.push([`  to ${first.name}`, ...ratios, '', '', ratio(sent, first.sent), ...afterRatios]);
  }
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column].length)));
  for (const line of table)
    console.log(line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at] + 2))).join(''));
  console.log(
    [
      '',
      `${prompts} prompts, 4 models, 1 judge with 4 aspects: ${total} calls; answers after ${values.latencyMs} to ${Number(values.latencyMs) + Number(values.jitterMs)} ms; ${availableParallelism()} cores.`,
      'calls/s: answered calls by seconds of the whole command; asking/s: by seconds from first to last request.',
      'RSS, PSS: most of all its processes together; PSS counts pages that they share once.',
      'lost: answers sent to the tool before the kill that were asked for again, or that its final result does not hold; *: it could not go on.',
      'sent: all requests, those in flight at the kill included, which nobody can know of.',
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
