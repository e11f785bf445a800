import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { REQUEST, teacherContract, withTeacher } from '../contracts/teacher.ts';

const never = new AbortController().signal;
teacherContract('openai', 'openai', openTeacher);

test('openai: without `store` nothing is kept and nothing is looked for', () =>
  withTeacher(
    openTeacher,
    'openai',
    {},
    () => ({}),
    async (teacher, server) => {
      await teacher.complete(REQUEST, never);
      assert.equal(server.asked[0]?.body.store, undefined);
      assert.equal(server.asked[0]?.body.metadata, undefined);
      assert.equal(teacher.settleMs, 0);
      assert.equal(await teacher.recover(REQUEST.key, 'some-model', never), undefined);
    },
  ));

test('openai: with `store` an answer is found again by its key', () =>
  withTeacher(
    openTeacher,
    'openai',
    { store: true },
    () => ({}),
    async (teacher) => {
      assert.equal(await teacher.recover(REQUEST.key, 'some-model', never), undefined);
      await teacher.complete(REQUEST, never);
      const found = await teacher.recover(REQUEST.key, 'some-model', never);
      assert.ok(found?.ok);
      assert.equal(found.reply.text, 'echo: the question');
      assert.equal(await teacher.recover('b'.repeat(64), 'some-model', never), undefined);
    },
  ));

test('openai: the limit of a reply is sent under the name that the server knows', () =>
  withTeacher(
    openTeacher,
    'openai',
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
