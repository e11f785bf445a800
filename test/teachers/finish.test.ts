import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finishOf } from '../../src/teachers/finish.ts';
import { readReply } from '../../src/teachers/reply.ts';

const SAID = {
  normal: 'stop STOP eos eos_token end_turn stop_sequence end COMPLETE end-turn EndTurn FinishReason.STOP eosFound',
  cut: 'length LENGTH max_tokens MAX_TOKENS model_length maxTokens FINISH_REASON_MAX_TOKENS contextLengthReached',
  refused: 'content_filter SAFETY RECITATION refusal guardrail_intervened PROHIBITED_CONTENT content-filter sensitive',
  error: 'error abort insufficient_system_resource network_error CANCELLED',
  unknown: 'tool_calls function_call null unknown OTHER . ...',
} as const;

for (const [finish, words] of Object.entries(SAID))
  test(`a server that says ${words} means ${finish}`, () => {
    for (const word of words.split(' ')) assert.equal(finishOf(word), finish, word);
  });

test('a reply that does not say how it ended, or says it in no text, is a reply all the same', () => {
  for (const finish_reason of [null, undefined, '', 7, { type: 'stop' }]) {
    const reply = readReply({ choices: [{ finish_reason, message: { content: 'yes' } }] }, undefined);
    assert.deepEqual([reply?.text, reply?.finishReason], ['yes', 'unknown']);
  }
});

test('an empty refusal is none, and thoughts among the parts of a text are not said', () => {
  const content = [
    { type: 'reasoning', text: 'hm' },
    { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
    { type: 'text', text: 'yes' },
  ];
  const reply = readReply({ choices: [{ finish_reason: 'stop', message: { content, refusal: '' } }] }, undefined);
  assert.deepEqual([reply?.text, reply?.refusal], ['yes', undefined]);
});
