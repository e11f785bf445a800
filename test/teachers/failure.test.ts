import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lostFailure } from '../../src/teachers/failure.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { REQUEST } from '../contracts/teacher-rig.ts';
import { startChatServer } from '../rig/chat-server.ts';

test('a server that does not speak TLS was sent nothing that it could bill', async () => {
  const server = await startChatServer();
  try {
    const baseUrl = server.url.replace('http:', 'https:');
    for (const provider of ['self-hosted', 'openai', 'huggingface']) {
      const teacher = openTeacher(teacherSpec.parse({ provider, model: 'm', baseUrl }), 'hf_key');
      const answer = await teacher.complete(REQUEST, new AbortController().signal);
      assert.ok(!answer.ok);
      assert.deepEqual([answer.failure.kind, answer.failure.status], ['again', 0], answer.failure.message);
    }
  } finally {
    await server.close();
  }
});

test('a server that nobody vouches for was sent nothing; one that breaks off may have heard', () => {
  const fetchFailed = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error('why'), { code }) });
  assert.equal(lostFailure(fetchFailed('DEPTH_ZERO_SELF_SIGNED_CERT')).status, 0);
  assert.equal(lostFailure(fetchFailed('ECONNREFUSED')).status, 0);
  assert.equal(lostFailure(fetchFailed('ECONNRESET')).status, undefined);
  assert.equal(lostFailure(fetchFailed('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC')).status, undefined);
});
