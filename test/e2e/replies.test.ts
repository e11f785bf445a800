import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Asked, ChatServer, Doing } from '../rig/chat-server.ts';
import { isJudging, judgement, startJudgingServer } from '../rig/judging-server.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';
import { idOf, made, writeFeedback } from './feedback.ts';

const CASES = join(import.meta.dirname, '../fixtures/cases');
const PRICE = { input: 1, output: 1, date: '2026-01-01', source: 'made up' };
const PROMPTS = 16;

const readCase = async <T>(name: string): Promise<T[]> => JSON.parse(await readFile(join(CASES, `${name}.json`), 'utf8')) as T[];

/** A recipe whose teachers are all at the server, with one judgement a prompt. */
const recipeFor = (server: ChatServer, prompts = PROMPTS, more: object = {}) =>
  writeFeedback({
    prompts,
    aspects: ['helpfulness'],
    teacher: { provider: 'openai', baseUrl: server.url, keyFrom: 'OPENAI_API_KEY', price: PRICE, ...more },
  });
interface Said {
  readonly choices: readonly [{ readonly message: { readonly content: string }; readonly finish_reason: string | null }];
}
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

describe('a server of its own kind', { skip: missing() }, () => {
  test('is sent no parameter that the recipe says it does not take, be it asked for answers or for judgements', () =>
    withServer(
      ({ body }) => ('temperature' in body || 'top_p' in body || 'response_format' in body ? { status: 400 } : undefined),
      async (server) => {
        const place = await newPlace({ OPENAI_API_KEY: 'sk-none' });
        const recipe = await recipeFor(server, 6, { omit: ['temperature', 'top_p', 'response_format'] });
        const { ratings, completions } = await made(place, idOf(await zephyr(place, 'aif', recipe, ...SET)));
        assert.ok(ratings.every((row) => row.status === 'ok'));
        assert.ok(completions.every((row) => row.temperature === null && row.top_p === null && row.text !== ''));
        const judged = server.asked.filter(isJudging);
        assert.equal(judged.length, 6);
        assert.ok(judged.every(({ body }) => body.messages[0]?.content.includes('"enum":["A","B","C"]')));
      },
    ));

  test('has its judgements read, each asked for once, whatever it puts around them and however it says that they ended', async () => {
    const bodies = [...(await readCase<Said>('fenced-judgement')), ...(await readCase<Said>('finish-reason-end'))];
    let judged = 0;
    await withServer(
      (asked) => {
        if (!isJudging(asked)) return undefined;
        const { message, finish_reason } = (bodies[judged++ % bodies.length] as Said).choices[0];
        // The case rates two answers; these are as many as the recipe has, in the same frame.
        const content = message.content.replace(/\{[\s\S]*\}/, () => judgement(asked));
        return { rawBody: JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason }] }) };
      },
      async (server) => {
        const place = await newPlace({ OPENAI_API_KEY: 'sk-none' });
        const { ratings } = await made(place, idOf(await zephyr(place, 'aif', await recipeFor(server), ...SET)));
        assert.equal(judged, PROMPTS);
        assert.deepEqual(new Set(ratings.map((row) => `${row.status} ${row.rating}`)), new Set(['ok 5', 'ok 4', 'ok 3']));
      },
    );
  });

  test('has no answer in a pair that it cut off, whatever it calls that', () =>
    withServer(
      (asked) => (asked.body.model === 'practice-direct' && !isJudging(asked) ? { finish: 'MAX_TOKENS' } : undefined),
      async (server) => {
        const place = await newPlace({ OPENAI_API_KEY: 'sk-none' });
        const { pairs, completions } = await made(place, idOf(await zephyr(place, 'aif', await recipeFor(server), ...SET)));
        const cut = completions.filter((row) => row.model === 'practice-direct');
        assert.ok(cut.length > 0 && cut.every((row) => (row.flags as string[]).includes('truncated')));
        assert.ok(pairs.length > 0);
        assert.ok(pairs.every((row) => ![row.chosen_model, row.rejected_model].includes('practice-direct')));
      },
    ));
});
