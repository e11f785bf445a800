import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCallLog } from '../../src/calls/call-log.ts';
import { keyOf } from '../rig/call-records.ts';
import { type ChatServer, startChatServer } from '../rig/chat-server.ts';

const COUNT = 400;
const IN_FLIGHT = 16;
const KILLS = 6;
const program = join(import.meta.dirname, '../rig/ask-many.ts');

/** Runs the program against the server, and hands over how to kill it. */
async function runOnce(
  server: ChatServer,
  callLog: string,
  store: string,
  begun: (kill: () => void) => void = () => {},
): Promise<string> {
  const child = spawn(process.execPath, [program, server.url, callLog, String(COUNT), store], {
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
    const callLog = await mkdtemp(join(tmpdir(), 'zephyr-kill-'));
    let killAt = Number.POSITIVE_INFINITY;
    let kill = () => {};
    const server = await startChatServer(({ number }) => {
      // at the very request, so that it is in flight
      if (number === killAt) kill();
      return { delayMs: 5 + Math.floor(Math.random() * 20) };
    });
    try {
      for (let kills = 0; kills < KILLS; kills += 1)
        await runOnce(server, callLog, store, (how) => {
          kill = how;
          killAt = server.asked.length + 10 + Math.floor(Math.random() * 50);
        });
      const result = JSON.parse(await runOnce(server, callLog, store)) as {
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
      await rm(callLog, { recursive: true });
    }
  });
}

test('what was handed to the log is there after a kill, although nobody had waited for the disk', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-kill-'));
  t.after(() => rm(folder, { recursive: true }));
  const dying = join(import.meta.dirname, '../rig/append-and-die.ts');
  const { signal, stderr } = spawnSync(process.execPath, [dying, folder, '100'], { encoding: 'utf8' });
  assert.equal(signal, 'SIGKILL', stderr);
  const log = await openCallLog(folder);
  for (let n = 0; n < 100; n += 1) assert.equal((await log.reply(keyOf(n)))?.text, `reply ${n}`);
  assert.equal(log.totals.damaged, 0);
  await log.close();
});
