import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

test('what the recipe of all stages costs is told whole within 80 columns, with those who have no price', async () => {
  const home = await mkdtemp(join(tmpdir(), 'zephyr-costs-'));
  const env = { ...process.env, ZEPHYR_HOME: home };
  const { stdout } = spawnSync(process.execPath, [join(root, 'src/cli.ts'), 'plan', join(root, 'configs/zephyr-7b.yaml')], {
    env,
  });
  await rm(home, { recursive: true });
  const [, costs = ''] = stdout.toString().split('What teachers will be asked, at the prices of the recipe:\n');
  const [table = '', total = ''] = costs.split('\n\n');
  const lines = table.split('\n');
  assert.equal(lines.length, 1 + 7);
  assert.deepEqual(
    lines.filter((line) => line.length > 80),
    [],
  );
  assert.match(total, /^\$\d,\d+ likely, .*; and what llama-70b, .* cost, which have no price; /);
});
