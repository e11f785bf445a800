import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { idOf, made, writeFeedback } from '../e2e/feedback.ts';
import { gradesFormat } from '../fixtures/sample-judge.ts';
import { Extended } from '../rig/extended.ts';
import { type Ended, zephyr } from '../rig/zephyr.ts';
import { replied, saying, valuesOf } from './replies.ts';

/** A zephyr with one way to judge more. */
function extended(): Extended {
  const copy = new Extended();
  const judging = 'src/judging';
  copy.insert(
    `${judging}/panel.ts`,
    '} as const satisfies',
    "  grades: { about: 'a word for each answer', how: ' in words', template: 'grades', sideBySide: true },\n",
  );
  copy.copy('sample-judge.ts', `${judging}/grades.ts`);
  copy.import(`${judging}/judge-requests.ts`, 'gradesFormat', './grades.ts');
  copy.insert(
    `${judging}/judge-requests.ts`,
    '    expected: (answers) =>\n',
    `    grades: (answers) =>
      aspects.flatMap((aspect) => requests(aspect, inOrders(aspect, answers), (texts) => gradesFormat(aspect, texts))),
`,
  );
  copy.copy('sample-judge.md', 'scripts/train/templates/judge-grades.md');
  copy.insert(
    'src/stages/aif/judge/forecast.ts',
    '    expected: [',
    '    grades: [orders, TOKENS.judgeTemplate, answers, answers * TOKENS.judgeEntry],\n',
  );
  copy.insert(
    'src/practice/judging.ts',
    "      if (name === 'label') return label;\n",
    "      if (name === 'grade') return member.enum?.[rateAspect(ratings, aspect) - 1];\n",
  );
  return copy;
}

describe('A way to judge that is added as a format, its requests, its count and its answer in practice', () => {
  const copy = extended();
  after(() => copy.remove());
  const run = (...args: string[]): Promise<Ended> => zephyr(copy.place, ...args);
  const MODE = ['--set', 'aif.judge.mode=grades'];

  it('reads good replies, and nothing from broken ones', () => {
    const grade = (label: string, word: string) => ({ label, rationale: 'so', grade: word });
    const read = (...grades: object[]) => valuesOf(gradesFormat('honesty', 2), saying({ grades }));
    assert.deepEqual(read(grade('B', 'best'), grade('A', 'bad')), [1, 5]);
    assert.equal(read(grade('A', 'best')), 'not each label once');
    assert.equal(read(grade('A', 'best'), grade('A', 'bad')), 'not each label once');
    assert.equal(read(grade('A', 'best'), grade('C', 'bad')), 'not each label once');
    assert.equal(read(grade('A', 'best'), grade('B', 'great')), 'the reply is not the JSON that was asked for');
    assert.match(String(valuesOf(gradesFormat('honesty', 2), replied('{"grades":[', 'length'))), /ended with "length"/);
  });

  it('is one that a recipe may choose, and is planned and counted', async () => {
    assert.match((await run('schema', 'recipe')).stdout, /\(ActiveUltraFeedback\); grades: a word for each answer"/);
    const plan = await run('plan', await writeFeedback(), '--stage', 'aif', ...MODE);
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /aif\/judge +run +practice-judge rates honesty, helpfulness in words/);
    const many = await run('plan', await writeFeedback(), '--stage', 'aif', ...MODE, '--set', 'aif.answersPerPrompt=27');
    assert.equal(many.code, 2);
    assert.match(many.stderr, /expected pairwise or expected with more than 26 answers a prompt, got grades with 27/);
  });

  it('judges: its ratings are those that the same judge gives in numbers, and pairs come of them', async () => {
    const recipe = await writeFeedback();
    const graded = await made(copy.place, idOf(await run('aif', recipe, ...MODE)));
    const rated = await made(copy.place, idOf(await run('aif', recipe)));
    const numbers = ({ ratings }: typeof graded) =>
      ratings
        .map(({ completion_id, aspect, permutation, rating }) => [completion_id, aspect, permutation, rating].join(' '))
        .sort();
    assert.ok(graded.ratings.length === 16 * 3 * 2 * 2 && graded.ratings.every((row) => row.status === 'ok'));
    assert.ok(graded.ratings.every((row) => row.template_id === `judge-${row.aspect}+judge-grades`));
    assert.deepEqual(numbers(graded), numbers(rated));
    assert.ok(new Set(graded.ratings.map((row) => row.rating)).size > 2);
    assert.ok(graded.pairs.length > 0);
  });
});
