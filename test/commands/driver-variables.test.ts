import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '../../src/commands/context.ts';
import { driverVariables } from '../../src/commands/driver-variables.ts';
import type { Plan } from '../../src/plan/plan.ts';

test('a job of a cluster that works on a run is handed no variable that zephyr does not know, as a key may be called anything', () => {
  const env = {
    ZEPHYR_SEED: '7',
    ZEPHYR_SET: 'ddpo.train.beta=0.1',
    HF_ENDPOINT: 'http://127.0.0.1:1',
    ZEPHYR_JUDGE_KEY: 'secret',
  };
  const plan = { recipe: { teachers: {} } } as unknown as Plan;
  assert.deepEqual(driverVariables({ env } as unknown as Context, plan, [], {}), {
    ZEPHYR_SEED: '7',
    ZEPHYR_SET: 'ddpo.train.beta=0.1',
    HF_ENDPOINT: 'http://127.0.0.1:1',
    NO_COLOR: '1',
  });
});
