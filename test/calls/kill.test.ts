import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startChatServer } from '../rig/chat-server.ts';

const COUNT = 400;
const IN_FLIGHT = 16;
const KILLS = 6;
const program = join(import.meta.dirname, '../rig/ask-many.ts');

/** Runs the program against the server; `killAfter`: a SIGKILL as soon as the server has seen so many more requests. */
async function runOnce(
  server: Awaited<ReturnType<typeof startChatServer>>,
  journal: string,
  store: string,
  killAfter?: number,
): Promise<string> {
  const child = spawn(process.execPath, [program, server.url, journal, String(COUNT), store], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const start = server.asked.length;
  const watch = setInterval(() => {
    if (killAfter !== undefined && server.asked.length - start >= killAfter) child.kill('SIGKILL');
  }, 1);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  return output;
}

for (const store of ['store', 'no-store']) {
  test(`killed ${KILLS} times, the calls ${store === 'store' ? 'are each paid once' : 'in flight at a kill at most are paid twice'}, and none is lost`, async () => {
    const journal = await mkdtemp(join(tmpdir(), 'zephyr-kill-'));
    const server = await startChatServer(() => ({ delayMs: 5 + Math.floor(Math.random() * 20) }));
    try {
      for (let kill = 0; kill < KILLS; kill += 1) await runOnce(server, journal, store, 10 + Math.floor(Math.random() * 50));
      const result = JSON.parse(await runOnce(server, journal, store)) as {
        answers: string[];
        possibleDoubleSpend: number;
        recovered: number;
      };
      assert.deepEqual(result.answers, Array.from({ length: COUNT }, (_, n) => `echo: q${n}`).sort());
      const twice = [...server.billed.values()].reduce((sum, times) => sum + times - 1, 0);
      assert.equal(server.billed.size, COUNT);
      if (store === 'store') {
        assert.equal(twice, 0);
        assert.equal(result.possibleDoubleSpend, 0);
        assert.ok(result.recovered > 0);
      } else assert.ok(twice <= KILLS * IN_FLIGHT, `${twice} calls paid twice`);
    } finally {
      await server.close();
      await rm(journal, { recursive: true });
    }
  });
}
