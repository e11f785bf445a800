import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { missing, newPlace, python, zephyr } from '../rig/zephyr.ts';
import { idOf, keysOf, type Made, made, type Paid, paidTwice, startProvider, undisturbed, writeFeedback } from './feedback.ts';

const run = promisify(execFile);
const skip = missing();

const TRANSPORTS: readonly { readonly name: string; readonly teacher: Readonly<Record<string, unknown>> }[] = [
  { name: '@huggingface/inference', teacher: { via: 'huggingface' } },
  { name: "the client for servers of one's own", teacher: { via: 'self-hosted' } },
  { name: 'the Batch API', teacher: { batch: { pollSeconds: 0.2, requests: 20 } } },
];

describe('feedback bought through another transport', { skip, concurrency: false }, () => {
  let live: Made;
  let paid: readonly Paid[];
  before(async () => {
    ({ made: live, paid } = await undisturbed(await writeFeedback()));
  });

  for (const { name, teacher } of TRANSPORTS) {
    test(`${name}: the same calls, the same bytes, and nothing to pay when it is run again`, async (t) => {
      const provider = await startProvider();
      t.after(provider.stop);
      const place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
      const recipe = await writeFeedback({ teacher });
      const feedback = await made(place, idOf(await zephyr(place, 'aif', recipe)));
      assert.deepEqual(paidTwice(await provider.paid()), []);
      assert.deepEqual(keysOf(await provider.paid()), keysOf(paid));
      assert.deepEqual(feedback.pairs, live.pairs);
      assert.equal(feedback.digest, live.digest);
      const other = await zephyr(place, 'aif', await writeFeedback());
      assert.equal((await made(place, idOf(other))).digest, live.digest);
      assert.equal((await provider.paid()).length, paid.length);
    });
  }

  test("the pairs are a dataset that the Hub's own library reads by its splits", async () => {
    const script = [
      'import json, sys',
      'from datasets import load_dataset',
      'splits = [load_dataset(sys.argv[1], split=name) for name in ("train_prefs", "test_prefs")]',
      'print(json.dumps([{"rows": rows.num_rows, "columns": rows.column_names, "first": rows[0]} for rows in splits]))',
    ].join('\n');
    const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: (await newPlace()).home };
    const { stdout } = await run(python, ['-c', script, live.folder], { env });
    const [train, held] = JSON.parse(stdout) as { rows: number; columns: string[]; first: Record<string, unknown> }[];
    assert.ok(train !== undefined && held !== undefined);
    assert.equal(train.rows + held.rows, live.pairs.length);
    for (const { columns, first } of [train, held]) {
      for (const column of ['prompt', 'chosen', 'rejected']) assert.ok(columns.includes(column));
      assert.deepEqual(
        first,
        live.pairs.find(({ prompt_id }) => prompt_id === first.prompt_id),
      );
    }
  });
});
