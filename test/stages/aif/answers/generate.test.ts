import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, test } from 'node:test';
import { sha256 } from '../../../../src/base/sha256.ts';
import { readRows } from '../../../../src/datasets/rows.ts';
import { assign } from '../../../../src/stages/aif/answers/assign.ts';
import { type GenerateConfig, generate } from '../../../../src/stages/aif/answers/generate.ts';
import { judge } from '../../../../src/stages/aif/judge/judge.ts';
import type { Prompt } from '../../../../src/stages/aif/tables.ts';
import { asked, completionsIn, folderWith, GENERATE, POOL, promptsFolder, promptsOf } from '../../../rig/answering.ts';
import { callFields, digests, openWorkshop, type Workshop } from '../../../rig/task.ts';

const shops: Workshop[] = [];
async function openShop(faults?: string): Promise<Workshop> {
  const shop = await openWorkshop(faults);
  shops.push(shop);
  return shop;
}
after(async () => {
  for (const shop of shops) {
    await shop.close();
    await rm(shop.folder, { recursive: true });
  }
});
const shop = await openShop();

const LOCAL = { input: 'answers-1', model: 'org/own', temperature: 0.7, top_p: 1, max_tokens: 32 };
const own = (more: object) => ({ id: 'answers-1', weight: 1, share: null, ...LOCAL, ...more });
/** Asks the draw what the member `answers-1` has to answer, and answers it as a job would. */
async function jobAnswers(config: GenerateConfig, prompts: string): Promise<string> {
  const pool = config.pool.map(({ id, weight, share, ...rest }) => ({ id, weight, share, job: 'input' in rest }));
  const { seed, answers_per_prompt, principles } = config;
  const drawn = await shop.run('draw', assign, { version: 1, seed, answers_per_prompt, principles, pool }, { prompts });
  const lines: object[] = [];
  for await (const row of readRows(`${drawn.out}/answers-1.jsonl`)) {
    const messages = row.messages as { role: string; content: string }[];
    const text = `own: ${messages.map(({ role }) => role).join(' ')}`;
    lines.push({ prompt_id: row.prompt_id, sample: 0, text, finish_reason: 'stop', tokens: 5, system: messages[0]?.content });
  }
  return folderWith(shop, { 'completions.jsonl': lines });
}

test('a row says who wrote it, how it was sampled, under which words, what it took and what is odd about it', async () => {
  const prompts = await promptsFolder(shop, promptsOf(12));
  const { out, metrics } = await shop.run('rows', generate, GENERATE, { prompts });
  const rows = await completionsIn(out);
  assert.equal(rows.length, 48);
  for (const row of rows) {
    assert.equal(row.completion_id, `${row.prompt_id}/${row.member}`);
    assert.deepEqual(
      [row.source, row.model, row.temperature, row.top_p, row.max_tokens, row.finish_reason],
      ['practice', `practice-${row.member}`, 0, 1, 64, 'stop'],
    );
    assert.match(row.principle ?? '', /^(helpfulness|honesty)$/);
    assert.match(`${row.principle_sha256} ${row.call_key}`, /^[0-9a-f]{64} [0-9a-f]{64}$/);
    assert.ok((row.prompt_tokens ?? 0) > 0 && (row.completion_tokens ?? 0) > 0);
    assert.equal(row.cost_usd, 0, 'the practice teacher costs nothing');
  }
  assert.equal(new Set(rows.map(({ principle_sha256 }) => principle_sha256)).size, 8, 'four wordings of two principles');
  assert.deepEqual(Object.keys(metrics.by_principle as object).sort(), ['helpfulness', 'honesty']);
});

test('a priced answer costs what the log says, to the row and in the sum', async () => {
  const prompts = await promptsFolder(shop, promptsOf(5));
  const teacher = { ...shop.teacher, price: { input: 1, output: 10, batch: 0.5 } };
  const { out, costUsd } = await shop.run(
    'priced',
    generate,
    GENERATE,
    { prompts },
    { teacher: () => Promise.resolve([teacher]) },
  );
  const rows = await completionsIn(out);
  for (const { cost_usd, prompt_tokens, completion_tokens } of rows)
    assert.ok(Math.abs((cost_usd ?? 0) - ((prompt_tokens ?? 0) + 10 * (completion_tokens ?? 0)) / 1e6) < 1e-12);
  assert.ok(Math.abs(rows.reduce((sum, { cost_usd }) => sum + (cost_usd ?? 0), 0) - costUsd) < 1e-9 && costUsd > 0);
});

test('of answers with the same words all but one are marked, and it is not always the same member that is', async () => {
  const twins = ['direct', 'careless'].flatMap((persona) => [
    asked(persona),
    asked(`${persona}-2`, { call: { ...callFields(`practice-${persona}`), top_p: 0.5 } }),
  ]);
  const prompts = await promptsFolder(shop, promptsOf(30));
  const { out } = await shop.run('twins', generate, { ...GENERATE, pool: twins, principles: {} }, { prompts });
  const groups = Map.groupBy(await completionsIn(out), ({ prompt_id }) => prompt_id);
  const marked = new Set<string>();
  for (const rows of groups.values()) {
    const first = rows.filter(({ flags }) => !flags.includes('duplicate'));
    assert.equal(new Set(first.map(({ text }) => text)).size, first.length);
    assert.deepEqual(new Set(first.map(({ text }) => text)), new Set(rows.map(({ text }) => text)));
    for (const { member, flags } of rows) if (flags.includes('duplicate')) marked.add(member);
  }
  assert.ok(marked.has('direct') && marked.has('direct-2'), [...marked].join());
});

test('a model artifact answers what was drawn for it and nothing else, under the principle that its rows then name', async () => {
  const config = { ...GENERATE, pool: [...POOL.slice(0, 4), own({ share: 0.4 })] };
  const prompts = await promptsFolder(shop, promptsOf(60));
  const answers = await jobAnswers(config, prompts);
  const rows = (await completionsIn((await shop.run('own', generate, config, { prompts, 'answers-1': answers })).out)).filter(
    ({ member }) => member === 'answers-1',
  );
  const lines = new Map<unknown, string>();
  for await (const line of readRows(`${answers}/completions.jsonl`)) lines.set(line.prompt_id, String(line.system));
  assert.ok(rows.length > 12 && rows.length < 36, `${rows.length} of 60`);
  assert.deepEqual(new Set(rows.map(({ prompt_id }) => prompt_id)), new Set(lines.keys()));
  for (const { prompt_id, text, model, principle, principle_sha256, flags, call_key, temperature } of rows) {
    assert.deepEqual([text, model, flags, call_key, temperature], ['own: system user', 'org/own', [], null, 0.7]);
    assert.equal(principle_sha256, sha256(lines.get(prompt_id) ?? ''));
    assert.ok(principle !== null);
  }
  const bare = { ...config, principles: {} };
  const silent = await jobAnswers(bare, prompts);
  const [row] = await completionsIn((await shop.run('bare', generate, bare, { prompts, 'answers-1': silent })).out).then((all) =>
    all.filter(({ member }) => member === 'answers-1'),
  );
  assert.deepEqual([row?.text, row?.principle, row?.principle_sha256], ['own: user', null, null]);
});

test('a member for which no prompt is drawn is refused before a machine is asked to run it', async () => {
  const config = { ...GENERATE, pool: [...POOL, own({ share: 0.000001 })] };
  await assert.rejects(jobAnswers(config, await promptsFolder(shop, promptsOf(4))), {
    exit: 'usage',
    message: /Cannot let "answers-1" answer: none of the prompts/,
  });
});

test('an answer that a job did not give is missing, never made up', async () => {
  const config = { ...GENERATE, pool: [...POOL.slice(0, 3), own({ share: 1 })] };
  const prompts = await promptsFolder(shop, promptsOf(3));
  const none = await folderWith(shop, { 'completions.jsonl': [] });
  const rows = await completionsIn((await shop.run('none', generate, config, { prompts, 'answers-1': none })).out);
  const missing = rows.filter(({ member }) => member === 'answers-1');
  assert.deepEqual(
    missing.map(({ text, flags, finish_reason }) => [text, flags, finish_reason]),
    Array.from({ length: 3 }, () => ['', ['missing'], 'none']),
  );
  await assert.rejects(shop.run('nothing', generate, config, { prompts, 'answers-1': shop.folder }), {
    message: /expected completions.jsonl/,
  });
});

test('principles go by the source of the prompt, with a default for the others', async () => {
  const principles = { evol: { helpfulness: 1 }, quiz: { truthfulness: 3, honesty: 1 }, plain: {}, default: { harmlessness: 1 } };
  const sources = ['evol', 'quiz', 'plain', 'else', 'constructor'];
  const prompts = promptsOf(50).map((prompt, n): Prompt => ({ ...prompt, source: sources[n % 5] ?? '' }));
  const { out } = await shop.run(
    'sources',
    generate,
    { ...GENERATE, principles },
    { prompts: await promptsFolder(shop, prompts) },
  );
  const found = new Map<string, Set<string | null>>(sources.map((source) => [source, new Set()]));
  for (const { source, principle } of await completionsIn(out)) found.get(source ?? '')?.add(principle);
  assert.deepEqual(
    sources.map((source) => [...(found.get(source) ?? [])].sort()),
    [['helpfulness'], ['honesty', 'truthfulness'], [null], ['harmlessness'], ['harmlessness']],
  );
});

test('more prompts, and prompts in between, change nothing for the others: shares, principles by source, draws for jobs', async () => {
  const principles = { a: { helpfulness: 2, honesty: 1 }, default: { truthfulness: 1 } };
  const config = { ...GENERATE, principles, pool: [...POOL, own({ share: 0.5 })] };
  const all = promptsOf(30).map((prompt, n): Prompt => ({ ...prompt, source: n % 3 === 0 ? 'a' : 'b' }));
  const some = all.filter((_, n) => n % 2 === 0);
  const [few, many] = await Promise.all(
    [some, all].map(async (prompts) => {
      const folder = await promptsFolder(shop, prompts);
      const answers = await jobAnswers(config, folder);
      const { out } = await shop.run(`more ${prompts.length}`, generate, config, { prompts: folder, 'answers-1': answers });
      return new Map((await completionsIn(out)).map((row) => [row.completion_id, row]));
    }),
  );
  assert.equal(few?.size, some.length * 4);
  for (const [id, row] of few ?? []) assert.deepEqual(many?.get(id), row);
});

const JUDGE = {
  version: 3,
  by: 'teachers',
  seed: 3,
  judges: [callFields('practice-judge', 1024)],
  fallback: null,
  mode: 'per_aspect',
  aspects: ['helpfulness', 'honesty'],
  overall: true,
  permutations: 2,
  pairs_per_prompt: 4,
  min_mass: 0.5,
  calibration: null,
} as const;

test('the judge is asked while answers still come in; what comes out is the same to the byte as one after the other', async () => {
  const results: Record<string, string>[] = [];
  const left: number[] = [];
  for (const isPrefetching of [true, false]) {
    // slow enough that the last answers are still to be asked when the first are in
    const slow = await openShop('latency=3');
    const prompts = await promptsFolder(slow, promptsOf(24));
    const order: string[] = [];
    const teacher = {
      ...slow.teacher,
      complete: (request, signal) => {
        order.push(request.model);
        return slow.teacher.complete(request, signal);
      },
    } satisfies Workshop['teacher'];
    const more = { teacher: () => Promise.resolve([teacher]), callLog: `${slow.folder}/journal` };
    const answered = await slow.run(
      'generate',
      generate,
      GENERATE,
      { prompts },
      { ...more, prefetch: isPrefetching ? { config: JUDGE, files: [] } : undefined },
    );
    const lastAnswer = order.findLastIndex((model) => model !== 'practice-judge');
    const early = order.slice(0, lastAnswer).filter((model) => model === 'practice-judge').length;
    assert.equal(early > 0, isPrefetching, `${early} judgements before the last answer`);
    assert.equal(answered.metrics.completions, 96);
    const before = slow.answered();
    const judged = await slow.run('judge', judge, JUDGE, { prompts, completions: answered.out }, more);
    left.push(slow.answered() - before);
    results.push({ ...(await digests(answered.out)), ...(await digests(judged.out)) });
  }
  assert.deepEqual(results[0], results[1]);
  const [after = 0, all = 0] = left;
  assert.ok(after < all, `${after} of ${all} judgements are left to the step judge`);
});

test('a warm run asks nothing and writes the same bytes, and so does one in which the answers came in another order', async () => {
  const results: Record<string, string>[] = [];
  for (const faults of [undefined, '429@0.1,503@0.1,latency=5,cut@0.1']) {
    const other = await openShop(faults);
    const prompts = await promptsFolder(other, promptsOf(20));
    for (const round of ['cold', 'warm']) {
      const before = other.answered();
      const { out } = await other.run('generate', generate, GENERATE, { prompts });
      assert.equal(other.answered() === before, round === 'warm');
      results.push(await digests(out));
    }
  }
  for (const result of results) assert.deepEqual(result, results[0]);
});

test('a teacher whose answers are all cut off is paid for the calls in hand, not for all', async () => {
  const curt = await openShop();
  const prompts = await promptsFolder(curt, promptsOf(400));
  const config: GenerateConfig = {
    ...GENERATE,
    answers_per_prompt: 2,
    pool: ['practice-direct', 'practice-rambling+truncated'].map((model, at) => ({
      id: `m${at}`,
      weight: 1,
      share: null,
      call: callFields(model),
    })),
  };
  await assert.rejects(curt.run('curt', generate, config, { prompts }), {
    message: 'Cannot use the answers of teacher "m1": the first 64 are all empty or cut off',
    hint: /^the last one is cut off: raise aif\.answer\.maxTokens/,
  });
  assert.ok(curt.answered() < 750, `${curt.answered()} calls`);
});

test('what goes into no pair, and principles of no source, are said', async () => {
  const prompts = await promptsFolder(shop, promptsOf(4));
  const principles = { ...GENERATE.principles, flam: { honesty: 1 } };
  const { notes } = await shop.run('noted', generate, { ...GENERATE, principles }, { prompts });
  assert.match(notes.join('\n'), /^No prompt is of flam, named in aif\.principles; sources are practice$/m);
  const odd = await openShop('truncated@0.5');
  const told = await odd.run('odd', generate, GENERATE, { prompts: await promptsFolder(odd, promptsOf(12)) });
  assert.match(told.notes.join('\n'), /^Of 48 answers, \d+ truncated: these go into no pair/m);
});
