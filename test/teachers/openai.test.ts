import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { teacherContract } from '../contracts/teacher.ts';
import { REQUEST, withTeacher } from '../contracts/teacher-rig.ts';

const never = new AbortController().signal;
const tested = { provider: 'openai', open: openTeacher } as const;
teacherContract('openai', tested);

test('openai: the limit of a reply is sent under the name that the server knows', () =>
  withTeacher(
    tested,
    { tokenLimit: 'max_completion_tokens' },
    () => ({}),
    async (teacher, server) => {
      await teacher.complete(REQUEST, never);
      assert.equal(server.asked[0]?.body.max_completion_tokens, 77);
      assert.equal(server.asked[0]?.body.max_tokens, undefined);
    },
  ));

test('openai: the public API is not asked without a key', () => {
  assert.throws(() => openTeacher(teacherSpec.parse({ provider: 'openai', model: 'm', keyFrom: 'MY_KEY' }), undefined), {
    exit: 'preflight',
    message: /expected one in MY_KEY/,
  });
});
