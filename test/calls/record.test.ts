import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { decodeRecord, encodeRecord, type LogRecord, readHead } from '../../src/calls/record.ts';

const whole = { noNullPrototype: true } as const;
const hex = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const count = fc.integer({ min: 0, max: 0xffffffff });
const dollars = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((usd) => usd + 0));
const call = { k: hex(64), a: count };
const record = fc.oneof(
  fc.record(
    {
      t: fc.constant('intent' as const),
      ...call,
      at: fc.nat(),
      est: dollars,
      b: hex(64),
      model: fc.string(),
      teacher: fc.string(),
    },
    { requiredKeys: ['t', 'k', 'a', 'at', 'est', 'model', 'teacher'], ...whole },
  ),
  fc.record(
    {
      t: fc.constant('done' as const),
      ...call,
      usd: dollars,
      in: count,
      out: count,
      recovered: fc.boolean(),
      rid: fc.option(fc.string({ unit: 'grapheme' })),
      raw: fc.json().map((text) => JSON.parse(text) as unknown),
    },
    whole,
  ),
  fc.record(
    {
      t: fc.constant('fail' as const),
      ...call,
      kind: fc.constantFrom('again', 'final', 'quota', 'stop'),
      status: fc.option(count),
      message: fc.string({ unit: 'grapheme' }),
    },
    whole,
  ),
) as fc.Arbitrary<LogRecord>;

const lineOf = (json: string): Buffer => Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}`);

/** The members that a head has, of those that the whole record has. */
function headOf(one: LogRecord): Record<string, unknown> {
  const texts: readonly string[] = ['model', 'teacher', 'rid', 'raw', 'status', 'message'];
  return Object.fromEntries(Object.entries(one).filter(([name]) => one.t === 'batch' || !texts.includes(name)));
}

test('a record comes back as it was, and its head says the same, by the short way and by the long one', () => {
  fc.assert(
    fc.property(record, (one) => {
      const line = encodeRecord(one);
      assert.equal(line.indexOf(10), line.length - 1);
      const text = line.subarray(0, -1);
      assert.deepEqual(decodeRecord(text), one);
      const backwards = lineOf(JSON.stringify(Object.fromEntries(Object.entries(one).reverse())));
      for (const way of [text, backwards])
        assert.deepEqual(headOf({ b: undefined, ...readHead(way) } as LogRecord), headOf({ b: undefined, ...one } as LogRecord));
    }),
  );
});

test('a line that only looks like a record is none, whatever its checksum says', () => {
  const k = 'a'.repeat(64);
  const strange = [
    '',
    'not JSON',
    'null',
    `{"t":"done","k":"${k}"}`,
    `{"t":"done","k":"${k.slice(1)}","a":1,"usd":null,"in":1,"out":1,"recovered":false,"rid":null,"raw":1}`,
    `{"t":"done","k":"${k}","a":-1,"usd":null,"in":1,"out":1,"recovered":false,"rid":null,"raw":1}`,
    `{"t":"dope","k":"${k}","a":1,"usd":null,"in":1,"out":1,"recovered":false,"rid":null,"raw":1}`,
    `{"t":"batch","b":"${k}","teacher":"t","at":1,"state":"lost"}`,
  ];
  for (const json of strange) assert.equal(readHead(lineOf(json)), undefined, json);
  const good = `{"t":"done","k":"${k}","a":1,"usd":null,"in":1,"out":1,"recovered":false,"rid":null,"raw":1}`;
  assert.equal(readHead(lineOf(good))?.t, 'done');
  assert.equal(readHead(Buffer.from(lineOf(good).toString().toUpperCase())), undefined);
});

test('tokens that a server counts in its own way do not make a paid answer unreadable', () => {
  const done = { t: 'done', k: 'a'.repeat(64), a: 1, usd: Number.NaN, recovered: false, rid: null, raw: {} } as const;
  for (const [tokens, read] of [
    [1.6, 2],
    [-3, 0],
    [Number.NaN, 0],
    [1e12, 0xffffffff],
    [Number.POSITIVE_INFINITY, 0xffffffff],
  ] as const) {
    const head = readHead(encodeRecord({ ...done, in: tokens, out: tokens }).subarray(0, -1));
    assert.ok(head?.t === 'done');
    assert.deepEqual([head.usd, head.in, head.out], [null, read, read]);
  }
});

test('a log from before tokens, estimates and batches were written is still read', () => {
  const k = 'a'.repeat(64);
  const done = lineOf(`{"t":"done","k":"${k}","a":1,"rid":null,"usd":2,"recovered":false,"raw":{}}`);
  assert.deepEqual(readHead(done), { t: 'done', k, a: 1, rid: null, usd: 2, in: 0, out: 0, recovered: false, raw: {} });
  const intent = lineOf(`{"t":"intent","k":"${k}","a":1,"at":5,"model":"m","teacher":"t"}`);
  assert.deepEqual(readHead(intent), { t: 'intent', k, a: 1, at: 5, est: null, model: 'm', teacher: 't' });
});
