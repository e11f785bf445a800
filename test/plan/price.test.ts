import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from '../../src/plan/explain.ts';
import { refuseCalls } from '../../src/plan/plan.ts';
import { pricePlan } from '../../src/plan/price.ts';
import type { CallForecast, Step } from '../../src/stages/stage.ts';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';

const OPEN = new Map();
const LIST = { date: '2026-11-01', source: 'a test' };
const teachers = (more: Partial<Record<'judge' | 'pool', unknown>> = {}): Record<string, TeacherSpec> => ({
  judge: teacherSpec.parse({
    provider: 'openai',
    model: 'j',
    price: { input: 2, output: 10, ...LIST },
    ...(more.judge as object),
  }),
  pool: teacherSpec.parse({ provider: 'huggingface', model: 'p', ...(more.pool as object) }),
});

const ask = (change: Partial<CallForecast> = {}): CallForecast => ({
  teacher: 'judge',
  purpose: 'judge honesty',
  items: 1000,
  callsPerItem: 4,
  inputTokens: 2000,
  outputTokens: 300,
  maxTokens: 500,
  ...change,
});

function toRun(calls: readonly CallForecast[], change: Partial<Step> = {}): Decision {
  const step: Step = {
    stage: 'aif',
    name: 'judge',
    summary: '',
    inputs: {},
    config: {},
    files: [],
    output: { type: 'dataset', name: 'a/b' as never },
    work: { kind: 'task', task: 'judge' },
    calls,
    ...change,
  };
  return { step: { ...step, ingredients: undefined, fingerprint: undefined }, action: 'run', fingerprint: undefined, why: '' };
}

describe('The price of a plan', () => {
  it('is calls times tokens times price, with half and twice the tokens, a reply never over its limit', () => {
    const { rows, dollars } = pricePlan([toRun([ask()])], teachers(), OPEN);
    assert.equal(rows[0]?.calls, 4000);
    // 4,000 x 2,000 tokens in at $2, 4,000 x 300 out at $10
    assert.deepEqual(dollars, { low: 8 + 6, expected: 16 + 12, high: 32 + 20 });
  });

  it('of a batch is the part that the provider asks, in so many files', () => {
    const spec = teachers({ judge: { batch: { requests: 1500 } } });
    const { rows, dollars } = pricePlan([toRun([ask()])], spec, OPEN);
    assert.equal(dollars.expected, 14);
    assert.deepEqual([rows[0]?.batchFiles, rows[0]?.minutes], [3, null]);
  });

  it('counts prompts that an earlier run has read, and says "later" where nobody has', () => {
    const decisions = [toRun([ask({ items: { count: 'prompts' } })])];
    assert.equal(pricePlan(decisions, teachers(), new Map([['aif prompts', { count: 10 }]])).rows[0]?.calls, 40);
    const { rows, dollars, unpriced } = pricePlan(decisions, teachers(), OPEN);
    assert.deepEqual([rows[0]?.calls, rows[0]?.dollars, dollars.expected, unpriced], [null, null, 0, []]);
  });

  it('is told for each 1,000 prompts where their number is not known, on top of what is', () => {
    const { dollars, perThousand } = pricePlan([toRun([ask()]), toRun([ask({ items: { count: 'prompts' } })])], teachers(), OPEN);
    assert.deepEqual(perThousand, { of: 'prompts', dollars });
    assert.equal(dollars.expected, 28);
    assert.equal(pricePlan([toRun([ask()])], teachers(), OPEN).perThousand, null);
  });

  it('of the practice teacher is what the recipe says, as in the run, and nothing without a word', () => {
    const practice = { provider: 'practice', model: 'p' };
    const price = { input: 2, output: 10, ...LIST };
    const expected = (spec: object) => pricePlan([toRun([ask()])], { judge: teacherSpec.parse(spec) }, OPEN).dollars.expected;
    assert.equal(expected({ ...practice, price }), 28);
    assert.equal(expected(practice), 0);
  });

  it('tells the time at the tighter of two limits', () => {
    const at = (limits: object) => pricePlan([toRun([ask()])], teachers({ judge: { limits } }), OPEN).rows[0]?.minutes;
    assert.equal(at({ requestsPerMinute: 100 }), 40);
    assert.equal(at({ requestsPerMinute: 100, tokensPerMinute: 92_000 }), 100);
    assert.equal(at({}), null);
  });

  it('names who has no price and asks nothing of steps that are used again', () => {
    const run = toRun([ask(), ask({ teacher: 'pool' })]);
    const priced = pricePlan([run], teachers(), OPEN);
    assert.deepEqual(priced.unpriced, ['pool']);
    const artifact = { ref: { type: 'dataset', name: 'a/b', commit: 'c'.repeat(40) }, digest: 'd'.repeat(64) } as const;
    const reused: Decision = { step: run.step, action: 'reuse', artifact: artifact as never, fingerprint: '', why: '' };
    assert.deepEqual(pricePlan([reused], teachers(), OPEN).rows, []);
  });

  it('warns of a long queue and of a budget that cannot do', () => {
    const spec = teachers({ judge: { batch: { queuedTokens: 90_000 } } });
    const { warnings } = pricePlan([toRun([ask()], { budgetUsd: 3 })], spec, OPEN);
    assert.match(warnings[0] ?? '', /89 times its queue of 90000/);
    assert.match(warnings[1] ?? '', /stage aif will hardly end within its budget of \$3: even the low estimate is \$7.00/);
    const tight = pricePlan([toRun([ask()], { budgetUsd: 20 })], teachers(), OPEN).warnings;
    assert.match(tight[0] ?? '', /will probably stop at its budget of \$20: \$28.00 are expected/);
  });

  it('is not made where a call can never be admitted', () => {
    const { step } = toRun([ask()]);
    assert.throws(
      () => refuseCalls([step], teachers({ judge: { limits: { tokensPerMinute: 1000 } } })),
      /a call "judge honesty" takes about 2300 tokens, teacher "judge" admits 1000 a minute/,
    );
    refuseCalls([step], teachers({ judge: { limits: { tokensPerMinute: 2300 } } }));
  });
});
