import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readParquet, writeParquet } from '../../src/datasets/parquet.ts';
import { PAIR_COLUMNS } from '../../src/datasets/preference.ts';
import { escapeHtml } from '../../src/report/html.ts';
import { writeReview } from '../../src/report/write-review.ts';
import { aifFolder, HOSTILE } from './artifact.ts';

const { root, folder } = await aifFolder();
after(() => rm(root, { recursive: true }));
const ABOUT = { id: 'hf://datasets/org/name@0000', name: 'org/name <b>', folder };

async function page(rows: number | null, seed = 1, about = ABOUT) {
  const file = join(root, `page-${rows}-${seed}.html`);
  const counts = await writeReview(file, about, rows, seed);
  return { ...counts, text: await readFile(file, 'utf8') };
}
const articles = (text: string) => [...text.matchAll(/<article .*?<\/article>/gs)].map(([article]) => article);
const attribute = (article: string, name: string) => new RegExp(`data-${name}="([^"]*)"`).exec(article)?.[1];

test('whatever prompts, answers, models, sources and judges say, the page has no markup but its own', async () => {
  const { text } = await page(null);
  for (const attack of HOSTILE) {
    assert.ok(!text.includes(attack), attack);
    assert.ok(text.includes(escapeHtml(attack)), attack);
  }
  const tags = new Set([...text.matchAll(/<([a-z!][a-z0-9]*)/gi)].map(([, tag]) => tag?.toLowerCase()));
  for (const foreign of ['img', 'iframe', 'object', 'embed', 'base', 'link']) assert.ok(!tags.has(foreign), foreign);
  assert.equal(text.match(/<script/g)?.length, 1);
  assert.equal(text.match(/<\/article>/g)?.length, text.match(/<article /g)?.length);
  const body = text.slice(text.indexOf('<body'), text.indexOf('<script'));
  for (const [tag] of body.matchAll(/<[^>]*>/g))
    assert.doesNotMatch(tag.replaceAll(/"[^"]*"/g, '""'), /\s(on[a-z]+|style)\s*=/i, tag);
});

test('the page asks for nothing from elsewhere, and its policy allows its own script and style alone', async () => {
  const { text } = await page(null);
  assert.doesNotMatch(text, /\b(src|href)=(?!x\b)/);
  assert.doesNotMatch(text, /url\(|@import|https?:\/\//);
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(text)?.[1]?.replaceAll('&#39;', "'") ?? '';
  assert.match(policy, /^default-src 'none'; style-src '[^']*'; script-src '[^']*'; base-uri 'none'; form-action 'none'$/);
  for (const name of ['style', 'script']) {
    const content = new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(text)?.[1] ?? '';
    assert.ok(policy.includes(`'sha256-${createHash('sha256').update(content).digest('base64')}'`), name);
  }
});

test('rows stand by margin and carry what they are sorted and filtered by', async () => {
  const { text, rows, pairs } = await page(null);
  const found = articles(text);
  assert.deepEqual([rows, pairs], [found.length, found.length]);
  const margins = found.map((article) => Number(attribute(article, 'margin')));
  assert.deepEqual(
    margins,
    margins.toSorted((a, b) => b - a),
  );
  for (const article of found) {
    const disagreement = Number(attribute(article, 'disagreement'));
    assert.ok(disagreement >= 0 && disagreement <= 1);
    assert.match(attribute(article, 'gap') ?? '', /^-?\d+$/);
    assert.match(attribute(article, 'split') ?? '', /^(train|test)_prefs$/);
  }
  assert.ok(found.some((article) => attribute(article, 'source') === 'chat'));
  assert.ok(found.some((article) => (attribute(article, 'flags') ?? '').includes('refusal')));
  assert.ok(found.some((article) => Number(attribute(article, 'disagreement')) > 0));
  const script = /<script>(.*?)<\/script>/s.exec(text)?.[1] ?? '';
  for (const name of script.matchAll(/(?:f|form\.elements)\.(?!value\b)([a-z]+)\b/g))
    assert.ok(text.includes(`name="${name[1]}"`), `a field named ${name[1]}`);
  assert.doesNotMatch(script, /innerHTML|insertAdjacent|document\.write|eval|Function\(/);
});

test('each pair shows both answers, all ratings and why, and the answers beside them', async () => {
  const [article = ''] = articles((await page(null)).text);
  for (const part of [
    'class="side chosen"',
    'class="side rejected"',
    'class="side other"',
    'helpfulness',
    'honesty',
    'judge-1: ',
  ])
    assert.ok(article.includes(part), part);
  assert.match(article, /<td class="single">\d( · \d){3}<\/td>/);
});

test('a sample is drawn by the seed, and a larger one holds the smaller one', async () => {
  const ids = (text: string) => articles(text).map((article) => /<p class="text">(.*?)<\/p>/s.exec(article)?.[1] ?? '');
  const [few, again, more, other] = [await page(5), await page(5), await page(9), await page(5, 2)];
  assert.equal(few.text, again.text);
  assert.equal(ids(few.text).length, 5);
  assert.ok(ids(few.text).every((id) => ids(more.text).includes(id)));
  assert.notDeepEqual(new Set(ids(other.text)), new Set(ids(few.text)));
  assert.match(few.text, /5, seed 1/);
});

test('published pairs without answers and ratings can be looked at too', async () => {
  const published = join(root, 'published');
  const turns = (text: string) => [
    { content: 'why', role: 'user' },
    { content: text, role: 'assistant' },
  ];
  const row = {
    prompt: 'why',
    prompt_id: 'x',
    chosen: turns('because of it'),
    rejected: turns('no'),
    messages: turns('because'),
  };
  await writeParquet(join(published, 'data/train_prefs-00000-of-00001-b42f1ac4.parquet'), PAIR_COLUMNS, [row]);
  const { text, rows } = await page(3, 1, { ...ABOUT, folder: published });
  assert.equal(rows, 1);
  assert.match(text, /because of it/);
  assert.match(text, /margin <b>unknown<\/b>/);
});

test('pairs that name no answers, as those of the first version, find them by their texts', async () => {
  const first = join(root, 'first');
  const path = 'data/train_prefs-00000-of-00001.parquet';
  const rows: Record<string, unknown>[] = [];
  for await (const row of readParquet(join(folder, path))) rows.push(row);
  await writeParquet(join(first, path), PAIR_COLUMNS, rows);
  for (const name of ['completions', 'ratings']) await symlink(join(folder, name), join(first, name));
  const { text } = await page(6, 1, { ...ABOUT, folder: first });
  assert.equal(articles(text).length, 6);
  assert.equal(text.match(/class="side other"/g)?.length, 6);
  assert.ok(articles(text).every((article) => /<td class="single">/.test(article)));
});

test('a dataset without pairs is refused, and no half page is left', async () => {
  await assert.rejects(page(4, 1, { ...ABOUT, folder: join(root, 'ratings') }), {
    name: 'ZephyrError',
    message: /expected the splits train_prefs and test_prefs/,
  });
  await assert.rejects(writeReview(join(root, 'nowhere', 'page.html'), ABOUT, 3, 1), { name: 'ZephyrError', message: /folder/ });
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('no long word makes the page wider than a phone: grids shrink below their content, and every text breaks', async () => {
  const { text } = await page(null);
  const style = /<style>(.*?)<\/style>/s.exec(text)?.[1] ?? '';
  const [wide = '', narrow = ''] = style.split('@media (max-width: 860px)');
  const rule = (sheet: string, selector: string) =>
    [...sheet.matchAll(/([^{}]+)\{([^{}]*)\}/g)].find(([, name]) => name?.trim() === selector)?.[2] ?? '';
  assert.match(rule(wide, 'main'), /grid-template-columns: minmax\(0, 1fr\)/);
  assert.match(rule(narrow, '.sides'), /grid-template-columns: minmax\(0, 1fr\)/);
  assert.match(rule(wide, 'article'), /overflow-wrap: anywhere/);
  const unbroken = [...wide.matchAll(/([^{}]+)\{[^{}]*white-space: nowrap/g)].map(([, name]) => name?.trim());
  assert.match(rule(narrow, unbroken.join(', ')), /white-space: normal/);
});
