import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { teacherContract } from '../contracts/teacher.ts';
import { REQUEST, withTeacher } from '../contracts/teacher-rig.ts';

const never = new AbortController().signal;
const tested = { provider: 'self-hosted', open: openTeacher } as const;
teacherContract('self-hosted', tested);

test('self-hosted: no key is asked for, and none is sent', async () => {
  await withTeacher(
    { ...tested, open: (spec) => openTeacher(spec, undefined) },
    {},
    () => ({}),
    async (teacher, server) => {
      assert.equal((await teacher.complete(REQUEST, never)).ok, true);
      assert.equal(server.asked[0]?.headers.authorization, undefined);
    },
  );
});

test('self-hosted: an address is needed, in a recipe and in its failover', () => {
  assert.match(String(teacherSpec.safeParse({ provider: 'self-hosted', model: 'm' }).error), /expected baseUrl/);
  const failover = [{ provider: 'self-hosted' }];
  assert.match(String(teacherSpec.safeParse({ provider: 'openai', model: 'm', failover }).error), /expected baseUrl/);
});

test('self-hosted: no more connections are open than the recipe allows calls at once', () =>
  withTeacher(
    tested,
    { concurrency: 3 },
    () => ({ delayMs: 5 }),
    async (teacher, server) => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => teacher.complete(REQUEST, never)));
      assert.ok(answers.every(({ ok }) => ok));
      assert.equal(server.connections(), 3);
    },
  ));
