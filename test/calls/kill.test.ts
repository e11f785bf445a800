import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ChatServer, startChatServer } from '../rig/chat-server.ts';

const COUNT = 400;
const IN_FLIGHT = 16;
const KILLS = 6;
const program = join(import.meta.dirname, '../rig/ask-many.ts');

/** Runs the program against the server, and hands over how to kill it. */
async function runOnce(
  server: ChatServer,
  journal: string,
  store: string,
  begun: (kill: () => void) => void = () => {},
): Promise<string> {
  const child = spawn(process.execPath, [program, server.url, journal, String(COUNT), store], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  begun(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return output;
}

for (const store of ['store', 'no-store']) {
  test(`killed ${KILLS} times, the calls ${store === 'store' ? 'are each paid once' : 'in flight at a kill at most are paid twice'}, and none is lost`, async () => {
    const journal = await mkdtemp(join(tmpdir(), 'zephyr-kill-'));
    let killAt = Number.POSITIVE_INFINITY;
    let kill = () => {};
    const server = await startChatServer(({ number }) => {
      // at the very request, so that it is in flight
      if (number === killAt) kill();
      return { delayMs: 5 + Math.floor(Math.random() * 20) };
    });
    try {
      for (let kills = 0; kills < KILLS; kills += 1)
        await runOnce(server, journal, store, (how) => {
          kill = how;
          killAt = server.asked.length + 10 + Math.floor(Math.random() * 50);
        });
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
        assert.ok(result.recovered >= KILLS, `${result.recovered} found again`);
      } else assert.ok(twice <= KILLS * IN_FLIGHT, `${twice} calls paid twice`);
    } finally {
      await server.close();
      await rm(journal, { recursive: true });
    }
  });
}
