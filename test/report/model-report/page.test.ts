import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { escapeHtml } from '../../../src/report/html.ts';
import { gainsOf, groupIntervals, measuredBenchmarks } from '../../../src/report/model-report/benchmarks.ts';
import type { ReportFacts } from '../../../src/report/model-report/facts.ts';
import { modelReportMarkdown } from '../../../src/report/model-report/markdown.ts';
import { modelReportPage } from '../../../src/report/model-report/page.ts';
import { HOSTILE } from '../artifact.ts';
import { artifactOf, sampleFacts } from './sample.ts';

const SCRIPT = 'document.title;';
const recipe = { yaml: `name: ${HOSTILE[0]}\n`, isRehearsal: false };
const facts = sampleFacts(60);
const page = modelReportPage(facts, { script: SCRIPT, recipe });

test('whatever names, metrics, reasons, notes and protocols say, the page has no markup but its own', () => {
  const [before = '', after = ''] = page.split('<script type="application/json" id="plots">');
  for (const attack of HOSTILE) {
    assert.ok(!page.includes(attack), attack);
    assert.ok(before.includes(escapeHtml(attack)), attack);
  }
  const [data = ''] = after.split('</script>');
  assert.doesNotMatch(data, /</);
  assert.ok(JSON.parse(data).length > 8);
  assert.equal(page.match(/<script/g)?.length, 2);
  for (const [tag] of before.slice(before.indexOf('<body')).matchAll(/<[^>]*>/g))
    assert.doesNotMatch(tag.replaceAll(/"[^"]*"/g, '""'), /\s(on[a-z]+|style)\s*=/i, tag);
});

test('the page asks for nothing from elsewhere, and its policy allows its own script and style alone', () => {
  assert.doesNotMatch(page.replaceAll(/href="(#[a-z-]+|data:,)"/g, ''), /\s(src|href)="/);
  assert.doesNotMatch(page, /url\(|@import|https?:\/\//);
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? '';
  assert.match(
    policy,
    /^default-src 'none'; img-src data:; style-src '[^']*'; script-src '[^']*'; base-uri 'none'; form-action 'none'$/,
  );
  const hash = (text: string) => createHash('sha256').update(text).digest('base64');
  assert.ok(policy.includes(hash(SCRIPT)));
  assert.ok(policy.includes(hash(/<style>(.*?)<\/style>/s.exec(page)?.[1] ?? '')));
});

test('each plot has its numbers in a table below it, and no host of a job is told', () => {
  const figures = [...page.matchAll(/<figure .*?<\/figure>/gs)].map(([figure]) => figure);
  assert.ok(figures.length > 8);
  assert.ok(figures.every((figure) => /<canvas [^>]*aria-label="[^"]+"/.test(figure) && /<td/.test(figure)));
  assert.doesNotMatch(page, /secret-host/);
});

test('values of models that share a protocol are subtracted item by item, others are only named apart', () => {
  const gains = gainsOf(measuredBenchmarks(facts));
  assert.deepEqual(
    gains.map(({ title, over }) => [title, over]),
    [
      ['MT-Bench', 'zephyr-dsft'],
      ['ARC challenge', 'zephyr-dsft'],
    ],
  );
  const [bench] = gains;
  // the published means of the two models
  assert.ok(Math.abs((bench?.paired?.mean ?? 0) - (7.165625 - 6.003125)) < 1e-9, String(bench?.paired?.mean));
  assert.equal(bench?.paired?.n, 160);
  const other = { ...facts, evaluations: facts.evaluations.map((each, at) => (at === 0 ? judgedBy('another', each) : each)) };
  const apart = gainsOf(measuredBenchmarks(other));
  assert.deepEqual(
    apart.map(({ differs, paired }) => [differs, paired]),
    [
      ['judge', null],
      ['judge', null],
    ],
  );
  assert.match(modelReportPage(other, { script: SCRIPT, recipe }), /not comparable: judge differs/);
});

function judgedBy(judge: string, given: ReportFacts['evaluations'][number]): ReportFacts['evaluations'][number] {
  const benchmarks = given.evaluation.benchmarks.map((each) => ({ ...each, protocol: { ...each.protocol, judge } }));
  return { ...given, evaluation: { ...given.evaluation, benchmarks } };
}

test('the spokes of the radar are the published means of the categories, within their bands', () => {
  const [bench] = measuredBenchmarks(facts);
  const published = bench?.models.find(({ isMain }) => isMain);
  assert.ok(published !== undefined);
  const groups = groupIntervals(published);
  const values = Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, value?.[0]]));
  assert.deepEqual(values, {
    writing: 8.775,
    roleplay: 7.9,
    reasoning: 4.45,
    math: 3.65,
    coding: 5.75,
    extraction: 8.05,
    stem: 9,
    humanities: 9.75,
  });
  assert.ok(
    Object.values(groups).every((value) => value !== null && (value[1] ?? 99) <= value[0] && value[0] <= (value[2] ?? 0)),
  );
});

test('an artifact without a run log, without inputs or that zephyr did not make has a report too', () => {
  const trained = artifactOf('alone', { stage: 'train', step: 'fit', type: 'model', metrics: { train_loss: 1 } });
  const given = { ...trained, manifest: undefined };
  for (const subject of [trained, given]) {
    const few: ReportFacts = { ...facts, subject, artifacts: [subject], runs: [], evaluations: [], checks: [] };
    const text = modelReportPage(few, { script: SCRIPT, recipe: undefined });
    assert.match(text, subject === trained ? /no curves/ : /zephyr did not make it/);
    assert.doesNotMatch(text, /NaN|undefined|Infinity/);
  }
});

test('the Markdown has the same tables, and no text of others is markup in it', () => {
  const text = modelReportMarkdown(facts);
  for (const title of ['How good it is', 'Training', 'Time and cost', 'What was left out', 'How it was made'])
    assert.ok(text.includes(`### ${title}`), title);
  assert.doesNotMatch(text.replaceAll('<br>', ''), /<[a-z/!]/i);
  assert.match(text, /\+1\.16 \(\+/);
  const tables = text.split('\n').filter((line) => line.startsWith('|'));
  assert.ok(tables.every((line) => line.endsWith('|')));
  assert.match(text, /```mermaid\nflowchart LR\n( {2}a\d+.*\n)+```/);
});
