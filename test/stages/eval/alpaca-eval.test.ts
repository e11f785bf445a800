import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ChoiceConfig, Version } from '../../../src/stages/eval/alpaca-eval/config.ts';
import { judgePairs } from '../../../src/stages/eval/alpaca-eval/judge.ts';
import { instructionPrompts } from '../../../src/stages/eval/alpaca-eval/prompts.ts';
import { openWorkshop, type Workshop, withShop } from '../../rig/task.ts';

const PAIRS = 60;
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

interface Judgment {
  readonly id: string;
  readonly version: Version;
  readonly model: string;
  readonly judge: string;
  readonly pass: number;
  readonly text: string;
  readonly alternatives: readonly { token: string; logprob: number }[] | null;
}
const judgmentsIn = async (out: string): Promise<Judgment[]> =>
  (await readFile(join(out, 'judgments.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('judging pairs of AlpacaEval', () => {
  let workshop: Workshop;
  let inputs: Record<string, string>;

  before(async () => {
    workshop = await openWorkshop();
    inputs = { requests: join(workshop.folder, 'requests') };
    await mkdir(inputs.requests as string);
    const rows = ([1, 2] as const).flatMap((version) =>
      Array.from({ length: PAIRS }, (_, index) => ({ id: `i${index}`, version, model: '', messages: messages(version, index) })),
    );
    const draw = { id: 'draw', version: 1, model: '', messages: null };
    // the answers of a reference model that says the same
    const same = rows.filter(({ id }) => id === 'i7').map((row) => ({ ...row, model: 'other' }));
    await writeFile(join(inputs.requests as string, 'requests.jsonl'), lines([...rows, draw, ...same]));
  });
  after(() => workshop.close());

  function messages(version: Version, index: number): object[] {
    const named = version === 1 ? 'answer' : 'output';
    const texts = [`First of ${index}, {output_1}.`, `Second of ${index} says """.`];
    const given = texts.map((text) => `{ "${named}": """${text}""" }`).join('\n');
    const content = `{ "instruction": """Which is ${index}?""" }\n${given}\nWhich is the better one?`;
    return [
      { role: 'system', content: 'You choose.' },
      { role: 'user', content },
    ];
  }
  const config = (models: readonly string[], more: Partial<ChoiceConfig> & { at?: string } = {}): ChoiceConfig => {
    const { at = 'practice', ...rest } = more;
    const judges = (maxTokens: number, temperature: number) =>
      models.map((model) => ({ teacher: model, model, at, temperature, top_p: 1, max_tokens: maxTokens }));
    return { version: 1, repeats: 1, judges: { 1: judges(100, 0), 2: judges(1, 1) }, ...rest };
  };

  test('that was stopped at some call goes on with the others, and asks none twice', async () => {
    const stop = new AbortController();
    const stopped = workshop.run('stopped', judgePairs, config(['practice-judge']), inputs, { signal: stop.signal });
    const stops = assert.rejects(stopped);
    const at = 1 + Math.floor(Math.random() * 80);
    while (workshop.answered() < at) await new Promise(setImmediate);
    stop.abort();
    await stops;
    const asked = workshop.answered();
    assert.ok(asked >= at && asked < 2 * PAIRS, String(asked));
    const { out } = await workshop.run('stopped', judgePairs, config(['practice-judge']), inputs);
    assert.equal(workshop.answered(), 2 * PAIRS);
    const found = await judgmentsIn(out);
    assert.equal(found.length, 2 * PAIRS + 2);
    const both = ({ model, ...row }: Judgment) => row;
    const sevenths = found.filter(({ id }) => id === 'i7').map(both);
    assert.deepEqual(sevenths.slice(0, 2), sevenths.slice(2));
    for (const { version, text, alternatives } of found) {
      if (version === 1) assert.match(text, /^\[\{'model': 'model_1', 'rank': [12]\}, \{'model': 'model_2', 'rank': [12]\}\]$/);
      else {
        const chances = new Map(alternatives?.map(({ token, logprob }) => [token, Math.exp(logprob)]));
        const [chosen = 0, other = 1] = [chances.get(text), chances.get(text === 'm' ? 'M' : 'm')];
        assert.ok(chosen > other && other > 0 && chances.size === 5, JSON.stringify(alternatives));
      }
    }
  });

  test('asks another judge everything anew, and the same model at another address too', async () => {
    const before = workshop.answered();
    await workshop.run('stopped', judgePairs, config(['practice-judge'], { at: 'openai https://other.example/v1' }), inputs);
    assert.equal(workshop.answered() - before, 2 * PAIRS);
    await workshop.run('stopped', judgePairs, config(['practice-echo']), inputs);
    assert.equal(workshop.answered() - before, 4 * PAIRS);
  });

  test('keeps what each judge said each time', async () => {
    const { out } = await workshop.run(
      'several',
      judgePairs,
      config(['practice-judge', 'practice-echo'], { repeats: 2 }),
      inputs,
    );
    const first = (await judgmentsIn(out)).filter(({ id, version, model }) => id === 'i0' && version === 1 && model === '');
    assert.deepEqual(
      first.map(({ judge, pass }) => [judge, pass]),
      [
        ['practice-judge', 1],
        ['practice-judge', 2],
        ['practice-echo', 1],
        ['practice-echo', 2],
      ],
    );
  });

  test('by a judge without log-probabilities is refused, as no verdict of version 2 could be read', async () => {
    await withShop(async (shop) => {
      const judged = shop.run('without', judgePairs, config(['practice-judge']), inputs);
      await assert.rejects(judged, /Cannot score AlpacaEval 2 by "practice-judge": its server sends no log-probabilities/);
    }, 'no-logprobs=1');
  });
});

test('instructions become prompts by what they hash to, in the order of the data set; one that stands twice is refused', async () => {
  await withShop(async (shop) => {
    const data = join(shop.folder, 'data');
    await mkdir(data);
    const run = async (rows: unknown) => {
      await writeFile(join(data, 'alpaca_eval.json'), JSON.stringify(rows));
      return await shop.run('prompts', instructionPrompts, { version: 1 }, { data });
    };
    const rows = ['Name a bird.', 'Name a fish.'].map((instruction) => ({ instruction, dataset: 'made', output: 'x' }));
    const { out } = await run(rows);
    const [first, second] = (await readFile(join(out, 'prompts.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual([first.prompt, second.prompt, first.set], ['Name a bird.', 'Name a fish.', 'made']);
    assert.match(first.prompt_id, /^[0-9a-f]{12}$/);
    assert.match(await readFile(join(out, 'README.md'), 'utf8'), /CC BY-NC 4\.0/);
    await assert.rejects(run([...rows, rows[0]]), /it asks "Name a bird\." twice/);
    await assert.rejects(run([{ output: 'x' }]), /expected a list of rows with an instruction and a dataset/);
  });
});
