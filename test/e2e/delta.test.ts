import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { type Practice, startPractice } from '../rig/practice.ts';
import { missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';
import { published } from './published.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

describe('delta learning', { skip: missing() }, () => {
  let tiny: Tiny;
  let practice: Practice;
  let place: Place;

  before(async () => {
    tiny = await writeTiny();
    practice = await startPractice(7);
    place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(place);
  });
  after(async () => await practice?.stop());

  test('takes one teacher over another without a judge, and dDPO trains on the pairs', async () => {
    const questions = makeQuestionBank(7).phrasings.filter(({ heldOut }) => !heldOut);
    const prompts = `{sources: [{list: ${JSON.stringify(questions.slice(0, 32).map(({ text }) => text))}}]}`;
    const members = 'strong: {teacher: direct}, weak: {teacher: rambling, sampling: {temperature: 0.7}}';
    const aif = `aif={source: delta, prompts: ${prompts}, ${members}, answer: {maxTokens: 48}, testPrompts: 4}`;
    const ended = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'), '--set', aif);
    assert.deepEqual(
      (await published(place, ended)).map(({ stage }) => stage),
      ['dsft', 'aif', 'ddpo'],
    );
    const asked = (await zephyr(place, 'inspect', ended.stdout.trim().split('\n')[1] ?? '', '--json')).stdout;
    const { manifest } = JSON.parse(asked) as { manifest: { metrics: Record<string, unknown>; inputs: object } };
    assert.deepEqual(Object.keys(manifest.inputs).sort(), ['completions', 'prompts']);
    assert.deepEqual([manifest.metrics.prompts, manifest.metrics.test_prefs], [32, 4]);
    assert.deepEqual([manifest.metrics.strong, manifest.metrics.weak], ['practice-direct', 'practice-rambling']);
  });
});
