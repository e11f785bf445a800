// What crashes cost: `node test/bench/aif/kills.mjs [KILLS] [CALLS]` asks a load server in a process of its own for so many
// calls, 64 at once, and kills the process that asks with SIGKILL at so many random moments, once with stored completions, by
// which calls of unknown outcome are found again, and once without. The server counts what it answered, read by anybody or
// not: that is what a provider would bill. Figures to read, not a test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startServer } from './processes.mjs';

const AT_ONCE = 64;
const rig = (name) => fileURLToPath(new URL(`../../rig/${name}`, import.meta.url));
const kills = Number(process.argv[2] ?? 100);
const calls = Number(process.argv[3] ?? 5000);

console.log(`${kills} kills over ${calls} calls, ${AT_ONCE} at once`);
console.log('stored   killed   answers   lost   billed   paid twice   of at most   found again   said to be in doubt   seconds');
for (const store of ['store', 'no-store']) await oneRun(store);

async function oneRun(store) {
  const callLog = mkdtempSync(join(tmpdir(), 'zephyr-kills-'));
  const server = await startServer(rig('load-server.ts'), ['--latencyMs', '30', '--jitterMs', '60', '--characters', '200']);
  const args = [rig('ask-many.ts'), server.url, callLog, calls, store, AT_ONCE].map(String);
  const startedAt = performance.now();
  let killed = 0;
  try {
    while (killed < kills) {
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      const exit = once(child, 'exit');
      const done = (await server.tally()).contents;
      // What is left is spread over the kills that are left.
      const more = Math.ceil(Math.random() * 1.5 * Math.max(1, (calls - done) / (kills - killed + 1)));
      const start = (await server.tally()).requests;
      while (child.exitCode === null && (await server.tally()).requests - start < more) await sleep(Math.random() * 5);
      await sleep(Math.random() * 30);
      child.kill('SIGKILL');
      const [code] = await exit;
      // It was done before it could be killed.
      if (code === 0) break;
      killed += 1;
    }
    const last = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const result = JSON.parse(Buffer.concat(await last.stdout.toArray()));
    const { heard, unheard, contents, repeated } = await server.tally();
    const lost = calls - new Set(result.answers).size;
    if (contents !== calls) throw new Error(`${contents} different calls were answered`);
    const seconds = (performance.now() - startedAt) / 1000;
    const columns = [
      killed,
      result.answers.length,
      lost,
      heard + unheard,
      repeated,
      store === 'store' ? 0 : killed * AT_ONCE,
      result.recovered,
    ];
    const widths = [9, 10, 7, 9, 13, 13, 14];
    console.log(
      (store === 'store' ? 'yes' : 'no').padEnd(6) +
        columns.map((each, n) => String(each).padStart(widths[n])).join('') +
        String(result.possibleDoubleSpend).padStart(22) +
        seconds.toFixed(0).padStart(10),
    );
  } finally {
    await server.stop();
    rmSync(callLog, { recursive: true });
  }
}
