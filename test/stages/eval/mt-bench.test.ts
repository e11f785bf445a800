import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { estimate } from '../../../src/judging/estimate.ts';
import type { EvaluationItem } from '../../../src/model/evaluation.ts';
import { type GradeConfig, TEMPERATURES, WITH_REFERENCE } from '../../../src/stages/eval/mt-bench/config.ts';
import { getData } from '../../../src/stages/eval/mt-bench/data.ts';
import { figuresOf, judge } from '../../../src/stages/eval/mt-bench/judge.ts';
import { getRejudged } from '../../../src/stages/eval/mt-bench/rejudged.ts';
import { writeScored } from '../../../src/stages/eval/scored.ts';
import { evalSpec } from '../../../src/stages/eval/spec.ts';
import { evalSteps } from '../../../src/stages/eval/steps.ts';
import { taughtRecipe } from '../../recipe/minimal.ts';
import { openWorkshop, type Workshop } from '../../rig/task.ts';

const CATEGORIES = Object.keys(TEMPERATURES);
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const rowsOf = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const config = (...models: readonly string[]): GradeConfig => ({
  version: 1,
  judges: models.map((model) => ({ teacher: model, model, at: 'practice', temperature: 0, top_p: 1, max_tokens: 2048 })),
  repeats: 1,
  protocol: { references: 'original' },
});

function prompts(): object[] {
  const told = 'Say a number of 1 to 10 as "[[rating]]", for example "[[5]]".';
  const one = `[Question]\n{question}\n\n[The Start of the Answer]\n{answer}\n[The End of the Answer]`;
  const both = `### User:\n{question_1}\n\n### Assistant A:\n{answer_1}\n\n### User:\n{question_2}\n\n### Assistant A:\n{answer_2}`;
  const reference = '\n\nReference: {ref_answer_1}';
  return [
    { name: 'single-v1', text: one },
    { name: 'single-math-v1', text: one + reference },
    { name: 'single-v1-multi-turn', text: both },
    { name: 'single-math-v1-multi-turn', text: `${both}${reference} {ref_answer_2}` },
  ].map(({ name, text }) => ({ name, system_prompt: 'You judge.', prompt_template: `${told}\n\n${text}` }));
}

/** What the two steps before leave: questions of our own wording, and answers. */
async function folders(workshop: Workshop): Promise<Record<string, string>> {
  const inputs: Record<string, string> = { data: join(workshop.folder, 'data'), answers: join(workshop.folder, 'answers') };
  for (const folder of Object.values(inputs)) await mkdir(folder);
  const questions = Array.from({ length: 80 }, (_, index) => ({
    question_id: 81 + index,
    category: CATEGORIES[index % 8] as string,
    turns: [`First of ${index}, {answer}?`, `Second of ${index}?`],
  }));
  await writeFile(join(inputs.data as string, 'questions.jsonl'), lines(questions));
  await writeFile(join(inputs.data as string, 'judge_prompts.jsonl'), lines(prompts()));
  const referred = questions.filter(({ category }) => WITH_REFERENCE.has(category));
  const references = referred.map(({ question_id }) => ({
    question_id,
    choices: [{ turns: [`one of ${question_id}`, `two of ${question_id}`] }],
  }));
  await writeFile(join(inputs.data as string, 'references.jsonl'), lines(references));
  const answers = questions.flatMap(({ question_id }) =>
    [1, 2].map((turn) => ({
      prompt_id: String(question_id),
      sample: 0,
      turn,
      text: `Said ${turn} to ${question_id}. {question}`,
      tokens: 5,
      finish_reason: 'stop',
    })),
  );
  await writeFile(join(inputs.answers as string, 'completions.jsonl'), lines(answers));
  return inputs;
}

describe('verdicts of 2023', () => {
  const scores = async (model: string): Promise<EvaluationItem[]> => {
    const all = await rowsOf(join(import.meta.dirname, '../../fixtures/evaldata/mtbench_orpo_scores.jsonl'));
    const order = ['writing', 'roleplay', 'reasoning', 'math', 'coding', 'extraction', 'stem', 'humanities'];
    return all
      .filter((row) => row.model === model)
      .map(({ question_id: id, turn, score }) => {
        const group = order[Math.floor((id - 81) / 10)] as string;
        return { id: `${id}-${turn}`, cluster: String(id), group, turn, score: score === -1 ? null : score };
      });
  };

  test('give the published means, of turns and of categories', async () => {
    const models = ['mistral-orpo-trl', 'mistral-orpo-capybara', 'mistral-orpo-mix'];
    const means = [];
    const out = await mkdtemp(join(tmpdir(), 'zephyr-mt-bench-'));
    for (const model of models) {
      const items = await scores(model);
      const benchmark = {
        name: 'mt-bench',
        title: 'MT-Bench',
        metric: 'score',
        scale: [1, 10] as [number, number],
        protocol: {},
        notes: [],
      };
      const [written] = await writeScored(out, [{ benchmark: { ...benchmark, figures: figuresOf(items) }, items }]);
      const { turn_1, turn_2 } = written?.figures ?? {};
      means.push([written?.value, turn_1, turn_2]);
      if (means.length === 1)
        assert.deepEqual(
          Object.fromEntries(
            Object.entries(written?.groups ?? {}).map(([group, { value }]) => [group, Number(value?.toFixed(6))]),
          ),
          {
            writing: 8.775,
            roleplay: 7.9,
            reasoning: 4.45,
            math: 3.65,
            coding: 5.75,
            extraction: 8.05,
            stem: 9,
            humanities: 9.75,
          },
        );
      const error = estimate(items)?.standardError ?? 0;
      assert.ok(Math.abs(error - 0.34) < 0.02, `${model}: ${error}`);
    }
    assert.deepEqual(means, [
      [7.165625, 7.73125, 6.6],
      [6.81875, 7.125, 6.5125],
      [6.003125, 6.43125, 5.575],
    ]);
  });
});

describe('grading 160 turns', () => {
  let workshop: Workshop;
  let inputs: Record<string, string>;

  before(async () => {
    workshop = await openWorkshop();
    inputs = await folders(workshop);
  });
  after(() => workshop.close());

  test('that was stopped at some call goes on with the others, and asks none twice', async () => {
    const stop = new AbortController();
    const stopped = workshop.run('stopped', judge, config('practice-judge'), inputs, { signal: stop.signal });
    const stops = assert.rejects(stopped);
    while (workshop.answered() < 40) await new Promise(setImmediate);
    stop.abort();
    await stops;
    const before = workshop.answered();
    assert.ok(before >= 40 && before < 160, String(before));
    const { out } = await workshop.run('stopped', judge, config('practice-judge'), inputs);
    assert.equal(workshop.answered(), 160);
    const items = await rowsOf(join(out, 'items/mt-bench.jsonl'));
    assert.equal(items.filter(({ score }) => score !== null).length, 160);
    assert.equal(new Set(items.map(({ cluster }) => cluster)).size, 80);
    const again = await workshop.run('stopped', judge, config('practice-judge'), inputs);
    assert.equal(workshop.answered(), 160);
    assert.deepEqual(await rowsOf(join(again.out, 'items/mt-bench.jsonl')), items);
  });

  test('asks another judge everything anew, and the same model at another address too', async () => {
    const before = workshop.answered();
    await workshop.run('stopped', judge, config('practice-echo'), inputs);
    assert.equal(workshop.answered() - before, 160);
    const elsewhere = config('practice-judge').judges.map((fields) => ({ ...fields, at: 'openai https://other.example/v1' }));
    await workshop.run('stopped', judge, { ...config(), judges: elsewhere }, inputs);
    assert.equal(workshop.answered() - before, 320);
  });

  test('drops and counts a reply without a rating, and an answer that had no room', async () => {
    // it says what it was asked, and that asks for "[[rating]]" and shows "[[5]]"
    const { out } = await workshop.run('echo', judge, config('practice-echo'), inputs);
    const [{ value, n }] = JSON.parse(await readFile(join(out, 'benchmarks.json'), 'utf8')).benchmarks;
    assert.deepEqual([value, n], [5, 160]);
    const folder = join(workshop.folder, 'too-long');
    await mkdir(folder);
    const answers = await rowsOf(join(inputs.answers as string, 'completions.jsonl'));
    const long = answers.map((row) =>
      row.prompt_id === '81' && row.turn === 2 ? { ...row, text: '', finish_reason: 'too_long' } : row,
    );
    await writeFile(join(folder, 'completions.jsonl'), lines(long));
    const marked = await workshop.run('long', judge, config('practice-mixed'), { ...inputs, answers: folder });
    const [benchmark] = JSON.parse(await readFile(join(marked.out, 'benchmarks.json'), 'utf8')).benchmarks;
    assert.deepEqual(benchmark.dropped, { 'no rating in the reply': 159, 'prompt too long for the model': 1 });
    assert.deepEqual([benchmark.value, benchmark.n], [null, 0]);
  });

  test('keeps what each judge said in each pass, and takes the first one for the score', async () => {
    const { out } = await workshop.run('several', judge, { ...config('practice-judge', 'practice-echo'), repeats: 2 }, inputs);
    const [item] = await rowsOf(join(out, 'items/mt-bench.jsonl'));
    assert.deepEqual(item.judged, [
      { judge: 'practice-judge', pass: 1, score: 1 },
      { judge: 'practice-judge', pass: 2, score: 1 },
      { judge: 'practice-echo', pass: 1, score: 5 },
      { judge: 'practice-echo', pass: 2, score: 5 },
    ]);
    assert.equal(item.score, 1);
  });
});

describe('models whose answers are public', () => {
  test('stand beside ours by the same judge, with the difference over the turns that both have', async () => {
    const workshop = await openWorkshop();
    try {
      const inputs = await folders(workshop);
      const file = join(workshop.folder, 'model_answer.jsonl');
      const theirs = Array.from({ length: 80 }, (_, index) => ({
        question_id: 81 + index,
        // a grade that the judge, who repeats what it hears, repeats
        choices: [{ index: 0, turns: [`[[9]] ${index}`, `[[7]] ${index}`] }],
      }));
      await writeFile(file, lines(theirs));
      await writeFile(join(inputs.data as string, 'judge_prompts.jsonl'), lines(echoed()));
      const rejudge = [{ model: 'vicuna', answers: file }];
      const { out: rejudged } = await workshop.run('brought', getRejudged, { version: 1, rejudge }, inputs);
      const withThem = { ...inputs, rejudged };
      const { out } = await workshop.run('rejudged', judge, { ...config('practice-echo'), rejudge }, withThem);
      assert.equal(workshop.answered(), 320);
      const [benchmark] = JSON.parse(await readFile(join(out, 'benchmarks.json'), 'utf8')).benchmarks;
      assert.equal(benchmark.value, 3);
      const [{ model, n, value, difference }] = benchmark.rejudged;
      assert.deepEqual([model, n, value, difference.mean, difference.clusters], ['vicuna', 160, 8, -5, 80]);
    } finally {
      await workshop.close();
    }
  });

  test('are refused as a whole before anything is answered, with the line or the question', async () => {
    const workshop = await openWorkshop();
    try {
      const { data } = await folders(workshop);
      const answers = join(workshop.folder, 'model_answer.jsonl');
      const refused = async (text: string, message: RegExp) => {
        await writeFile(answers, text);
        const rejudge = [{ model: 'vicuna', answers }];
        const brought = workshop.run('brought', getRejudged, { version: 1, rejudge }, { data: data as string });
        await assert.rejects(brought, { message, hint: /^eval\.mt-bench\.rejudge names files of model_answer/ });
      };
      await refused('garbage', /answers of vicuna: line 1 is garbage, no answer to a question/);
      await refused(lines([{ id: 81 }]), /answers of vicuna: line 1 is \{"id":81\}, no answer to a question/);
      const turns = ['one'];
      await refused(lines([{ question_id: 81, choices: [{ turns }] }]), /it holds 1 of the 2 turns of question 81/);
    } finally {
      await workshop.close();
    }
  });

  test('take nothing from our own answers, which are used again', () => {
    const recipe = taughtRecipe();
    const stepsWith = (settings: object) =>
      evalSteps(recipe, evalSpec.parse({ parts: ['mt-bench'], judges: ['judge'], 'mt-bench': settings }));
    const identities = (steps: ReturnType<typeof evalSteps>) =>
      steps
        .filter(({ name }) => name === 'mt-bench-data' || name === 'mt-bench-answers')
        .map(({ name, config: own, inputs }) => ({ name, own, inputs }));
    const rejudging = stepsWith({ rejudge: [{ model: 'vicuna', answers: 'model_answer.jsonl' }] });
    assert.deepEqual(identities(rejudging), identities(stepsWith({})));
    const judging = rejudging.find(({ name }) => name === 'mt-bench-judge');
    assert.deepEqual(Object.keys(judging?.inputs ?? {}), ['data', 'answers', 'rejudged']);
  });

  /** The answer alone, and `[[3]]` for whoever gives no grade of its own. */
  const echoed = () =>
    ['single-v1', 'single-math-v1', 'single-v1-multi-turn', 'single-math-v1-multi-turn'].map((name) => ({
      name,
      system_prompt: 'You judge.',
      prompt_template: `${name.includes('multi') ? '{answer_2}' : '{answer}'} ${name} [[3]]`,
    }));
});

test('data that are not the known ones, or not there, are refused by their address', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.url?.includes('question') ? 200 : 404;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const workshop = await openWorkshop();
  try {
    const from = (source: string, references = 'original') => workshop.run('data', getData, { version: 1, source, references });
    await assert.rejects(
      from(`http://127.0.0.1:${port}/`),
      /question\.jsonl" for MT-Bench: its sha256 is [0-9a-f]{64}, expected 1195/,
    );
    await assert.rejects(
      from('/nowhere'),
      /Cannot get "\/nowhere\/mt_bench\/question\.jsonl" for MT-Bench: there is no such file/,
    );
    await assert.rejects(from(`http://127.0.0.1:1`), /Cannot get .* for MT-Bench: /);
  } finally {
    server.close();
    await workshop.close();
  }
});
