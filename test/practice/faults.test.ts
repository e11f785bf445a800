import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corrupt } from '../rig/corrupt.ts';
import { parseFaults } from '../rig/fault-rules.ts';
import { startFaultyPractice } from '../rig/faulty-practice.ts';

/** Asks the echo once for each of the rules; the body as text, or how reading it failed. */
async function ask(rules: readonly string[], more: object = {}, faults = '') {
  const server = await startFaultyPractice({ seed: 1, faults });
  try {
    const found: { status: number; text: string; headers: Headers }[] = [];
    for (const each of rules) {
      const body = { model: 'practice-echo', messages: [{ role: 'user', content: 'hello there' }], ...more };
      try {
        const response = await fetch(`${server.url}/chat/completions`, {
          method: 'POST',
          headers: { 'x-practice-faults': each },
          body: JSON.stringify(body),
        });
        found.push({ status: response.status, text: await response.text(), headers: response.headers });
      } catch {
        found.push({ status: 0, text: '', headers: new Headers() });
      }
    }
    return { found, answered: server.answered() };
  } finally {
    await server.close();
  }
}

test('the echo says what was asked last', async () => {
  const { found } = await ask(['']);
  const { choices } = JSON.parse(found[0]?.text ?? '') as { choices: { message: { content: string } }[] };
  assert.equal(choices[0]?.message.content, 'echo: hello there');
});

test('every refusal has its status and is not counted as answered', async () => {
  const statuses = ['401', '402', '403', '404', '408', '429', '500', '502', '503', '504'];
  const { found, answered } = await ask(statuses);
  assert.deepEqual(
    found.map(({ status }) => String(status)),
    statuses,
  );
  assert.equal(answered, 0);
  assert.ok(found.every(({ text }) => 'error' in (JSON.parse(text) as object)));
});

test('a time to wait that is no whole number of seconds is said in milliseconds as well', async () => {
  const { found } = await ask(['429=0.25', '503=2']);
  const waits = found.map(({ headers }) => [headers.get('retry-after'), headers.get('retry-after-ms')]);
  assert.deepEqual(waits, [
    ['1', '250'],
    ['2', null],
  ]);
});

test('an answer may be lost, come slowly or break off, and was answered all the same', async () => {
  const { found, answered } = await ask(['drop', 'cut', 'slow=40', 'broken-json']);
  assert.deepEqual(
    found.map(({ status }) => status),
    [0, 0, 200, 200],
  );
  assert.doesNotThrow(() => JSON.parse(found[2]?.text ?? '') as unknown);
  assert.throws(() => JSON.parse(found[3]?.text ?? '') as unknown, SyntaxError);
  assert.equal(answered, 4);
});

test('a rule may begin later: an account that runs out', async () => {
  const { found, answered } = await ask(['', '', '', ''], {}, 'quota>2');
  assert.deepEqual(
    found.map(({ status }) => status),
    [200, 200, 429, 429],
  );
  assert.match(found[3]?.text ?? '', /insufficient_quota/);
  assert.equal(answered, 2);
});

test('log-probabilities come with an answer when asked for, unless the server is told to know none', async () => {
  const { found } = await ask(['', 'no-logprobs'], { logprobs: true, top_logprobs: 2 });
  const given = found.map(({ text }) => (JSON.parse(text) as { choices: { logprobs: unknown }[] }).choices[0]?.logprobs !== null);
  assert.deepEqual(given, [true, false]);
});

test('a judgement may be off the scale, or about nobody', () => {
  const reply = (content: object) => ({ content: JSON.stringify(content), finishReason: 'stop' as const });
  const corrupted = (content: object, fault: Parameters<typeof corrupt>[1]) =>
    JSON.parse(corrupt(reply(content), fault).content) as unknown;
  assert.deepEqual(corrupted({ ratings: [{ label: 'A', rating: 5 }] }, 'off-scale'), { ratings: [{ label: 'A', rating: 95 }] });
  assert.deepEqual(corrupted({ rationale: '', better: 'A' }, 'wrong-label'), { rationale: '', better: 'Z' });
});

test('rules are read whole or refused', () => {
  assert.deepEqual(parseFaults('429=2@0.1>5x3'), [{ fault: '429', value: 2, share: 0.1, after: 5, times: 3 }]);
  for (const text of ['429=', 'nonsense', '429x', 'cut>', '418']) assert.throws(() => parseFaults(text), RangeError);
});
