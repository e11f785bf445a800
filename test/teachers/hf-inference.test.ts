import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherContract } from '../contracts/teacher.ts';
import { REQUEST, withTeacher } from '../contracts/teacher-rig.ts';

const never = new AbortController().signal;
const tested = { provider: 'huggingface', open: openTeacher } as const;
teacherContract('huggingface', tested);

test('huggingface: a 503 storm is one request a call, not one a millisecond', () =>
  withTeacher(
    tested,
    {},
    () => ({ status: 503 }),
    async (teacher, server) => {
      for (let i = 0; i < 3; i += 1) await teacher.complete(REQUEST, never);
      assert.equal(server.asked.length, 3);
    },
  ));

test('huggingface: the model is named, never the address', () =>
  withTeacher(
    tested,
    {},
    () => ({}),
    async (teacher, server) => {
      await teacher.complete(REQUEST, never);
      assert.equal(server.asked[0]?.body.model, 'some-model');
      assert.equal(server.asked[0]?.path, '/v1/chat/completions');
    },
  ));

test("huggingface: an address together with a provider is the user's mistake", () =>
  withTeacher(
    tested,
    { inferenceProvider: 'together' },
    () => ({}),
    async (teacher) => {
      const answer = await teacher.complete(REQUEST, never);
      assert.ok(!answer.ok);
      assert.deepEqual([answer.failure.kind, answer.failure.status], ['stop', 0], 'nothing was sent');
    },
  ));

test('huggingface: the message of an OpenAI-style error is kept', () =>
  withTeacher(
    tested,
    {},
    () => ({ status: 400, rawBody: '{"error":{"message":"context too long"}}' }),
    async (teacher) => {
      const answer = await teacher.complete(REQUEST, never);
      assert.match(answer.ok ? '' : answer.failure.message, /context too long/);
    },
  ));
