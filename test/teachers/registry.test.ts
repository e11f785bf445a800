import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPracticeServer } from '../../src/practice/server.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { REQUEST } from '../contracts/teacher.ts';

const never = new AbortController().signal;

test('the practice teacher is asked like any other, and always keeps what it answered', async () => {
  const server = await startPracticeServer({ seed: 1, key: 'practice' });
  try {
    const spec = teacherSpec.parse({ provider: 'practice', model: 'practice-direct', baseUrl: server.url });
    const teacher = openTeacher(spec, 'practice');
    const { schema: _, ...request } = { ...REQUEST, model: 'practice-direct' };
    const answer = await teacher.complete(request, never);
    const found = await teacher.recover(REQUEST.key, 'practice-direct', never);
    assert.ok(answer.ok && found?.ok);
    assert.equal(found.reply.text, answer.reply.text);
    assert.ok(teacher.settleMs > 0);
  } finally {
    await server.close();
  }
});

test('the practice teacher cannot be opened before it was started', () => {
  assert.throws(() => openTeacher(teacherSpec.parse({ provider: 'practice', model: 'm' }), undefined), /before it was started/);
});

test('a timeout that fetch would never reach is refused', () => {
  assert.equal(teacherSpec.safeParse({ provider: 'openai', model: 'm', timeoutSeconds: 600 }).success, false);
  assert.equal(teacherSpec.parse({ provider: 'openai', model: 'm' }).timeoutSeconds, 120);
});
