import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pastInWords } from '../../src/commands/event-lines.ts';
import type { RunLook } from '../../src/commands/look-at-run.ts';

const AT = Date.parse('2026-11-30T20:41:31Z') / 1000;

test('the end of a run says how many lines are before it and how to see them, and nothing where there are none', () => {
  const lines = ['first', 'second', 'third'].map((message) => {
    const event = { type: 'warning', message } as const;
    return { event, at: AT, level: 'info', text: JSON.stringify(event) };
  });
  const state = { repo: { type: 'model', name: 'org/out' }, run: 'run-01m8q31xm33bejasswdtq2cepk' };
  const end = (most: number) => pastInWords({ state, lines } as unknown as RunLook, most);
  const command = 'zephyr logs hf://models/org/out@run-01m8q31xm33bejasswdtq2cepk --events';
  assert.equal(end(1)[0], `2 lines before: ${command}`);
  assert.equal(end(2)[0], `1 line before: ${command}`);
  assert.equal(end(3).length, 3);
});
