import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Asked, ChatServer, Doing } from '../rig/chat-server.ts';
import { isJudging, startJudgingServer } from '../rig/judging-server.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';
import { idOf, made, writeFeedback } from './feedback.ts';

const CASES = join(import.meta.dirname, '../fixtures/cases');
const PRICE = { input: 1, output: 1, date: '2026-01-01', source: 'made up' };
const PROMPTS = 16;

const readCase = async <T>(name: string): Promise<T[]> => JSON.parse(await readFile(join(CASES, `${name}.json`), 'utf8')) as T[];

/** A recipe whose teachers are all at the server, with one judgement a prompt. */
const recipeFor = (server: ChatServer, prompts = PROMPTS) =>
  writeFeedback({ prompts, aspects: ['helpfulness'], teacher: { provider: 'openai', baseUrl: server.url, price: PRICE } });
const SET = ['--set', 'aif.judge.permutations=1', '--set', 'aif.budgetUsd=9'];

async function withServer(
  script: (asked: Asked) => Doing | undefined,
  use: (server: ChatServer) => Promise<void>,
): Promise<void> {
  const server = await startJudgingServer(script);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

describe('a judge that refuses', { skip: missing() }, () => {
  for (const [at, how] of ['same command', 'same command --new-run', 'resume'].entries())
    test(`is asked no more after a few calls, and all of them by the ${how} once it was mended`, async () => {
      const refusals = await readCase<{ status: number; body: object }>('refused-parameter');
      for (const { status, body } of refusals.slice(at % refusals.length).slice(0, 1)) {
        let isMended = false;
        const refusal = { status, rawBody: JSON.stringify(body) };
        await withServer(
          (asked) => (isJudging(asked) && !isMended ? refusal : undefined),
          async (server) => {
            const place = await newPlace({ OPENAI_API_KEY: 'sk-none' });
            const recipe = await recipeFor(server);
            const ended = await zephyr(place, 'aif', recipe, ...SET);
            assert.equal(ended.code, 3, ended.stderr);
            const said = ended.stderr.replaceAll(/\s+/g, ' ');
            assert.ok(said.includes((body as { error: { message: string } }).error.message), ended.stderr);
            assert.match(said, /teacher "judge" for "judge helpfulness" in step aif\/judge/);
            assert.match(said, /teachers\.judge\.omit: \[(temperature|top_p)\]/);
            const before = server.asked.filter(isJudging).length;
            // four by the step before, in advance, and four by the judge's own
            assert.ok(before <= 8, `${before} calls`);
            isMended = true;
            const run = /resume (hf:\S+)/.exec(ended.stderr)?.[1] ?? '';
            const mended = await zephyr(
              place,
              ...(how === 'resume' ? ['resume', run] : ['aif', recipe, ...SET, ...how.split(' ').slice(2)]),
            );
            const { ratings } = await made(place, idOf(mended));
            assert.ok(ratings.length > 0 && ratings.every((row) => row.status === 'ok'));
            assert.equal(server.asked.filter(isJudging).length - before, PROMPTS);
          },
        );
      }
    });
});
