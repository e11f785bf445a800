import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { judge } from '../../../../src/stages/aif/judge/judge.ts';
import { callFields, withShop } from '../../../rig/task.ts';
import { answered, askAhead, judging } from './answered.ts';

const _FILES = join(import.meta.dirname, '../../../../scripts/train');
/** Sheets of a prompt with four aspects in two orders. */
const SHEETS = 8;

test('a model that cannot judge is paid for the calls in hand, not for all, and the error shows what it says', () =>
  withShop(async (shop) => {
    const { out } = await answered(shop.folder, 60);
    const config = judging({ judges: [callFields('practice-evasive')] });
    await assert.rejects(shop.run('judge', judge, config, { completions: out }), (error: Error & { hint?: string }) => {
      assert.match(error.message, /^Cannot read what judge "practice-evasive" replies: of its first 16 replies none, since /);
      assert.match(error.hint ?? '', /^take another judge, or another aif.judge.mode; it said ".+"$/);
      return true;
    });
    const calls = shop.answered();
    assert.ok(calls < 2 * 60 * SHEETS * 0.75, `${calls} calls`);
    await assert.rejects(shop.run('judge', judge, config, { completions: out }), /Cannot read what judge/);
    assert.ok(shop.answered() - calls <= 32, 'what was paid says it once more');
  }));

test('in advance, such a model is asked no more either', () =>
  withShop(async (shop) => {
    const { completions } = await answered(shop.folder, 12);
    await askAhead(shop, judging({ judges: [callFields('practice-evasive')] }), completions);
    assert.equal(shop.answered(), 2 * 2 * SHEETS);
  }));

test('what could not be read is said once the ratings are made', () =>
  withShop(async (shop) => {
    const { out } = await answered(shop.folder, 12);
    const { notes } = await shop.run('judge', judge, judging(), { completions: out });
    assert.match(notes.join('\n'), /^\d+ of 96 judgements could not be read and give no rating, most since the reply/m);
  }, 'invalid-json@0.5'));

test('a judge that rates its own answers is named', () =>
  withShop(async (shop) => {
    const { out } = await answered(shop.folder, 2, ({ member }) => (member === 'direct' ? { model: 'practice-judge' } : {}));
    const { notes } = await shop.run('judge', judge, judging(), { completions: out });
    assert.match(notes.join('\n'), /favour its own family: practice-judge/);
  }));
