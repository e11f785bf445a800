import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { jsonLine, linesIn } from '../../src/base/ndjson.ts';
import type { Compression } from '../../src/datasets/formats.ts';
import { jsonLinesIn } from '../../src/datasets/json-lines.ts';

/** Characters that other readers take for the end of a line, in among others. */
const text = fc.string({
  unit: fc.constantFrom('a', '"', '\\', '\r', '\n', '\t', '\u0085', '\u2028', '\u2029', '\uFEFF', '\u{1F33F}'),
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
const read = (bytes: Uint8Array | string, compression: Compression = 'none') =>
  all(jsonLinesIn(Readable.from([Buffer.from(bytes)]), compression));
const rows = async (bytes: string) => (await read(bytes)).map(({ row }) => row);

describe('JSON Lines', () => {
  it('are read back as they were written, in whatever pieces they come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text), fc.integer({ min: 1, max: 9 }), async (texts, size) => {
        const bytes = Buffer.from(texts.map((each) => jsonLine({ prompt: each })).join(''));
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        const lines = (await all(linesIn(Readable.from(pieces)))).flat();
        assert.deepEqual(
          lines.filter((line) => line !== '').map((line) => JSON.parse(line)),
          texts.map((prompt) => ({ prompt })),
        );
      }),
    );
  });

  it('are one line each to readers that end a line at other characters too', () => {
    fc.assert(
      fc.property(text, (prompt) => {
        const line = jsonLine({ prompt });
        assert.equal(line.search(/[\n\r\u0085\u2028\u2029]/), line.length - 1);
        assert.deepEqual(JSON.parse(line), { prompt });
      }),
    );
  });

  it('end at a line feed alone, with a carriage return or none before it, the last one without', async () => {
    assert.deepEqual(await rows('\uFEFF{"a": "x\u2028y\u2029z\u0085"}\r\n\n  \r\n{"a": 2}'), [
      { a: 'x\u2028y\u2029z\u0085' },
      { a: 2 },
    ]);
    assert.deepEqual(await rows(''), []);
    assert.deepEqual(
      (await read('{"a": 1}\r{"a": 2}\n')).map(({ row }) => row),
      [undefined],
    );
  });

  it('hold numbers that are none, as Python writes them, and no text is changed by it', async () => {
    assert.deepEqual(await rows('{"a": NaN, "b": [-Infinity, 1], "c": "NaN, \\"Infinity"}\n'), [
      { a: null, b: [null, 1], c: 'NaN, "Infinity' },
    ]);
  });

  it('that are no objects are given with their numbers, and the others go on', async () => {
    assert.deepEqual(
      (await read('{"a": 1}\nnull\n{"a":\n\uFEFF{"a": 1}\n{"a": 2}\n')).map(({ number, row }) => [number, row]),
      [
        [1, { a: 1 }],
        [2, undefined],
        [3, undefined],
        [4, undefined],
        [5, { a: 2 }],
      ],
    );
  });

  it('may be one list instead, of objects or of texts', async () => {
    assert.deepEqual(await rows('[\n {"a": 1},\n {"a": NaN}\n]\n'), [{ a: 1 }, { a: null }]);
    assert.deepEqual(await rows('["x", 3]'), [{ text: 'x' }, undefined]);
    await assert.rejects(rows('[{"a": 1},'), SyntaxError);
  });

  it('are unpacked, and a file that was cut short is no shorter one', async () => {
    const bytes = Buffer.from('{"a": 1}\n'.repeat(1000));
    for (const [compression, packed] of [
      ['gzip', gzipSync(bytes)],
      ['zstd', zstdCompressSync(bytes)],
    ] as const) {
      assert.equal((await read(packed, compression)).length, 1000);
      await assert.rejects(read(packed.subarray(0, packed.length - 8), compression));
      await assert.rejects(read('{"a": 1}\n', compression));
    }
  });
});
