import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { safetensorsFault } from '../../src/hub/safetensors.ts';

function safetensors(header: unknown, dataBytes: number): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)]);
}

describe('The header of a safetensors file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-safetensors-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const fault = async (bytes: Uint8Array): Promise<string | undefined> => {
    await writeFile(join(folder, 'x'), bytes);
    return safetensorsFault(join(folder, 'x'));
  };
  const tensor = (start: number, end: number): unknown => ({ dtype: 'U8', shape: [end - start], data_offsets: [start, end] });

  it('fits a whole file, with metadata, in any order, with empty tensors and with none', async () => {
    assert.equal(
      await fault(safetensors({ __metadata__: { format: 'pt' }, b: tensor(4, 10), a: tensor(0, 4), e: tensor(4, 4) }, 10)),
      undefined,
    );
    assert.equal(await fault(safetensors({}, 0)), undefined);
  });

  it('tells of gaps, overlaps, and a length that does not fit', async () => {
    assert.match((await fault(safetensors({ a: tensor(0, 4), b: tensor(5, 10) }, 10))) ?? '', /"b" does not begin at byte 4/);
    assert.match((await fault(safetensors({ a: tensor(0, 4), b: tensor(3, 10) }, 10))) ?? '', /"b" does not begin/);
    assert.match((await fault(safetensors({ a: tensor(0, 4) }, 5))) ?? '', /need 4 bytes and it holds 5/);
    assert.match((await fault(safetensors({ a: { dtype: 'U8' } }, 0))) ?? '', /./);
    assert.match((await fault(safetensors([1], 0))) ?? '', /does not describe tensors/);
  });

  it('never fits a file that was cut, wherever', async () => {
    const whole = safetensors({ a: tensor(0, 40), b: tensor(40, 64) }, 64);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
        assert.notEqual(await fault(whole.subarray(0, length)), undefined);
      }),
    );
  });
});
