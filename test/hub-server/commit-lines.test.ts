import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { commitLines } from '../../src/hub-server/commit-lines.ts';

describe('The lines of a commit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-lines-'));
  after(() => rm(folder, { recursive: true, force: true }));
  let files = 0;
  const newFile = (): string => join(folder, String(files++));

  async function* cut(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
    let at = 0;
    for (let i = 0; at < bytes.length; i += 1) {
      const length = lengths[i % lengths.length] ?? 1;
      yield bytes.subarray(at, at + length);
      at += length;
    }
  }

  it('are the same however the body is cut into pieces', async () => {
    const value = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(
        value,
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        fc.boolean(),
        async (objects, lengths, ends) => {
          const body = Buffer.from(objects.map((object) => JSON.stringify(object)).join('\n') + (ends ? '\n' : ''));
          const lines: unknown[] = [];
          for await (const { text } of commitLines(cut(body, lengths), newFile)) lines.push(JSON.parse(text));
          assert.equal(JSON.stringify(lines), JSON.stringify(objects));
        },
      ),
    );
  });

  it('put long contents on disk, decoded, whatever lies around them', async () => {
    const contents = [Buffer.alloc(400_001, 'abc'), Buffer.alloc(300_000, 'déf')];
    const long = {
      a: 'short "quoted" \\',
      b: contents[0]?.toString('base64'),
      c: { d: contents[1]?.toString('base64'), e: 'end' },
    };
    // some writers escape the slash
    const body = Buffer.from(`${JSON.stringify(long).replaceAll('/', '\\/')}\n{"next":1}`);
    for (const length of [1013, 65_536]) {
      const lines = [];
      for await (const line of commitLines(cut(body, [length]), newFile)) lines.push(line);
      const [first, second] = lines;
      assert.ok(first);
      assert.deepEqual(JSON.parse(first.text), { a: long.a, b: `${first.mark}0`, c: { d: `${first.mark}1`, e: 'end' } });
      assert.deepEqual(await Promise.all(first.spilled.map((path) => readFile(path))), contents);
      assert.deepEqual(JSON.parse(second?.text ?? ''), { next: 1 });
      assert.deepEqual(second?.spilled, []);
    }
  });
});
