// From one stage to the next: an artifact is published to the embedded Hub and laid out for the job that reads it, through
// the very functions of the engine. Seconds, rate of hashing, and bytes copied, which must be none: hard links throughout.
// `node test/bench/handover.mjs [GB]`; leaves nothing behind. A figure to read, not a test.
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256File } from '../../src/base/sha256.ts';
import { publish } from '../../src/engine/publish.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { stageInputs } from '../../src/hub/stage-inputs.ts';

const bytes = Math.round(Number(process.argv[2] ?? 2) * 1e9);
const home = mkdtempSync(join(tmpdir(), 'zephyr-handover-'));
try {
  const out = join(home, 'jobs', 'run', 'train-e1', 'out');
  mkdirSync(out, { recursive: true });
  const weights = join(out, 'model.safetensors');
  writeWeights(weights, bytes);
  const inode = statSync(weights).ino;
  const [bareMs] = await timed(() => sha256File(weights));

  const hub = await openLocalHub(join(home, 'hub'));
  const work = { kind: 'job', program: 'dsft', globalBatch: 1, saveSteps: 1 };
  const output = { type: 'model', name: 'bench/model' };
  const step = { stage: 'dsft', name: 'train', summary: '', inputs: {}, config: {}, files: [], output, work };
  const ingredients = { version: 'zephyr-fingerprint/1', stage: 'dsft', step: 'train', inputs: {}, config: {}, files: {} };
  const made = { step, run: 'run-bench', fingerprint: '0'.repeat(64), ingredients, inputs: {}, folder: out };
  const before = used(home);
  const [publishMs, { artifact }] = await timed(() =>
    publish(
      { hub, emit: () => {}, signal: new AbortController().signal, now: () => new Date(), version: 'bench' },
      { ...made, metrics: {}, versions: {}, costUsd: 0, attempts: [] },
    ),
  );
  const job = join(home, 'jobs', 'run', 'next-e1');
  const [stageMs, { model }] = await timed(() => stageInputs(hub, { model: artifact }, job));
  const copied = used(home) - before;

  const same = statSync(realpathSync(join(job, model, 'model.safetensors'))).ino === inode;
  const rate = (ms) => `${(bytes / 1e6 / ms).toFixed(2)} GB/s`;
  console.log(`artifact              ${(bytes / 1e9).toFixed(2)} GB in one file`);
  console.log(`hash alone            ${(bareMs / 1000).toFixed(2)} s  ${rate(bareMs)}`);
  console.log(
    `publish               ${(publishMs / 1000).toFixed(2)} s  ${rate(publishMs)}, hashed once and flushed to the disk`,
  );
  console.log(`lay out for the next  ${(stageMs / 1000).toFixed(2)} s  ${rate(stageMs)}, hashed once`);
  console.log(`bytes copied          ${same ? 0 : bytes} (${same ? 'the same inode at both ends' : 'another inode'})`);
  console.log(`disk used meanwhile   ${(copied / 1024).toFixed(0)} KiB, whoever else writes to this disk included`);
  process.exitCode = same ? 0 : 1;
} finally {
  rmSync(home, { recursive: true, force: true });
}

async function timed(work) {
  const started = performance.now();
  const result = await work();
  return [performance.now() - started, result];
}

/** Bytes in use on the disk of a folder. */
function used(folder) {
  const { blocks, bfree, bsize } = statfsSync(folder);
  return (blocks - bfree) * bsize;
}

/** A valid safetensors file without a hole: 64 MiB of random bytes over and over. */
function writeWeights(path, size) {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [size], data_offsets: [0, size] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, header]));
  const block = randomFillSync(Buffer.alloc(64 << 20));
  for (let written = 0; written < size; written += block.length)
    writeSync(file, block, 0, Math.min(block.length, size - written));
  closeSync(file);
}
