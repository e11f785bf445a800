import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagsOf } from '../../src/stages/flags.ts';

const reply = { text: 'Half of an ans', finishReason: 'stop', refusal: undefined };

test('a reply that the server ended before its end is cut off, whatever it calls that', () => {
  for (const finishReason of ['length', 'max_tokens', 'MAX_TOKENS', 'model_length', 'abort', 'error'])
    assert.deepEqual(flagsOf({ ...reply, finishReason }), ['truncated'], finishReason);
  for (const finishReason of ['stop', 'eos_token', 'unknown']) assert.deepEqual(flagsOf({ ...reply, finishReason }), []);
});

test('a reply can be a refusal by what the server says, or by how it begins', () => {
  assert.deepEqual(flagsOf({ ...reply, refusal: 'No.', text: '' }), ['refusal']);
  for (const finishReason of ['content_filter', 'SAFETY']) assert.deepEqual(flagsOf({ ...reply, finishReason }), ['refusal']);
  assert.deepEqual(flagsOf({ ...reply, text: 'I\u2019m sorry, but I cannot help with that.' }), ['refusal']);
  assert.deepEqual(flagsOf({ ...reply, text: ' \n' }), ['empty']);
});
