import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { redactDeep, redactor } from '../../src/render/redact.ts';

test('what looks like a token is blotted out', () => {
  const redact = redactor();
  const secrets = [
    'hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh',
    'hf_abc12345',
    'sk-proj-aBcD1234_efgh',
    'Bearer abcdefgh.ijkl',
    'authorization: bearer 0123456789',
    'https://me:pa55word@host.example/x',
    'ghp_0123456789abcdefghij',
  ];
  assert.deepEqual(secrets.map(redact), [
    '[redacted]',
    '[redacted]',
    '[redacted]',
    'Bearer [redacted]',
    'authorization: bearer [redacted]',
    'https://me:[redacted]@host.example/x',
    '[redacted]',
  ]);
});

test('words that begin like a token are left alone', () => {
  const redact = redactor(['short']);
  const words = 'install hf_transfer, hf_hub_download and hf_xet; task-generation; risk-adjusted; a bearer of news; a short word';
  assert.equal(redact(words), words);
});

test('a registered value goes wherever it stands, the longer of two first', () => {
  const secrets = new Set(['open-sesame']);
  const redact = redactor(secrets);
  secrets.add('open-sesame-2');
  assert.equal(redact('x=open-sesame-2&y=open-sesame'), 'x=[redacted]&y=[redacted]');
});

test('no string in a value keeps a registered secret, and its shape stays', () => {
  const redact = redactor(['tr0ub4dor']);
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const planted = { value, list: [{ 'key-tr0ub4dor': 'a tr0ub4dor b' }], number: 1, nothing: null };
      const clean = JSON.stringify(redactDeep(planted, redact));
      assert.ok(!clean.includes('tr0ub4dor'));
    }),
  );
  assert.deepEqual(redactDeep({ a: [1, null, true, 'x'] }, redact), { a: [1, null, true, 'x'] });
});
