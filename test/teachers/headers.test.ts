import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationMs, readLimits, retryAfterMs } from '../../src/teachers/headers.ts';

const from = (headers: Record<string, string>) => (name: string) => headers[name];
const requests = (limit: string, remaining: string, reset?: string) =>
  readLimits(
    from({
      'x-ratelimit-limit-requests': limit,
      'x-ratelimit-remaining-requests': remaining,
      ...(reset === undefined ? {} : { 'x-ratelimit-reset-requests': reset }),
    }),
  )?.requests;

test('times until a reset are read in every form that servers write', () => {
  const forms = { '1s': 1000, '6m0s': 360_000, '20ms': 20, '1.5s': 1500, '2m59.56s': 179_560, '1h2m3s': 3_723_000, '7': 7000 };
  for (const [text, ms] of Object.entries(forms)) assert.equal(durationMs(text), ms, text);
  for (const text of ['', 'soon', '-1s', '1x', 's', undefined]) assert.equal(durationMs(text), undefined);
});

test('a limit needs a number and what is left of it; the time of its reset may be missing', () => {
  assert.deepEqual(requests('60', '59', '1s'), { limit: 60, remaining: 59, resetMs: 1000 });
  assert.deepEqual(requests('60', '0'), { limit: 60, remaining: 0, resetMs: undefined });
  assert.equal(requests('60', ''), undefined);
  assert.equal(requests('many', '5', '1s'), undefined);
  assert.equal(requests('0', '0', '1s'), undefined);
  assert.equal(readLimits(from({})), undefined);
});

test("a day's limit under the name of a minute's is left out", () => {
  assert.equal(requests('14400', '14370', '2m59.56s'), undefined);
  assert.equal(requests('200', '199', '7m12s'), undefined);
  assert.equal(requests('1000', '0', '23h59m'), undefined);
  assert.deepEqual(requests('100', '99', '59s'), { limit: 100, remaining: 99, resetMs: 59_000 });
});

test('a time to wait is read in milliseconds, in seconds however long, or as a date', () => {
  const now = Date.parse('2026-01-02T03:04:05Z');
  const wait = (headers: Record<string, string>) => retryAfterMs(from(headers), now);
  assert.equal(wait({ 'retry-after-ms': '1234.5', 'retry-after': '9' }), 1234.5);
  assert.equal(wait({ 'retry-after': '0.25' }), 250);
  assert.equal(wait({ 'retry-after': '604800' }), 604_800_000);
  assert.equal(wait({ 'retry-after': 'Fri, 02 Jan 2026 04:04:05 GMT' }), 3_600_000);
  assert.equal(wait({ 'retry-after': 'Fri, 02 Jan 2026 23:04:05 GMT' }), 3_600_000, 'a clock may be wrong');
  for (const text of ['Thu, 01 Jan 2026 00:00:00 GMT', '0', '0.0']) assert.equal(wait({ 'retry-after': text }), undefined);
  const ahead = { 'retry-after': 'Fri, 02 Jan 2026 04:04:15 GMT', date: 'Fri, 02 Jan 2026 04:04:05 GMT' };
  assert.equal(wait(ahead), 10_000, "by the server's own clock");
  for (const text of ['', 'later', '-']) assert.equal(wait({ 'retry-after': text }), undefined);
  assert.equal(wait({}), undefined);
});
