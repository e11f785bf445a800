import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';
import { trainingCurves } from '../../../src/report/model-report/curves.ts';
import { writeReport } from '../../../src/report/model-report/write-report.ts';
import { flawsOf, missingBrowser, openBrowser, openPage } from '../../rig/browser.ts';
import { root } from '../../rig/zephyr.ts';
import { sampleFacts } from './sample.ts';

const script = join(root, 'dist', 'report-page.js');
const skip = missingBrowser() ?? (existsSync(script) ? undefined : 'dist/report-page.js is missing: npm run build');

/** Training steps of each curve. */
const POINTS = 10_000;
const facts = sampleFacts(POINTS);

describe('a report in a browser', { skip, concurrency: false }, () => {
  let folder: string;
  let file: string;
  let browser: Browser;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'zephyr-page-'));
    file = join(folder, 'report.html');
    await writeReport(facts, { page: file, markdown: undefined, script, recipe: { yaml: 'name: sample\n', isRehearsal: false } });
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const width of [1280, 380])
    for (const scheme of ['light', 'dark'] as const)
      test(`is quiet, no wider than its screen, whole and readable at ${width} pixels in ${scheme}`, async () => {
        const { page, complaints } = await openPage(browser, file, width, scheme);
        const seen = await flawsOf(page);
        assert.deepEqual(complaints, []);
        assert.ok(seen.width <= width, `${seen.width} pixels`);
        assert.deepEqual(seen.outside, []);
        assert.deepEqual(seen.blank, []);
        assert.deepEqual(seen.faint, []);
        await page.close();
      });

  test('has all points of each curve, and draws each of its plots', async () => {
    const { page } = await openPage(browser, file, 1280, 'light');
    const drawn = await page.$$eval('.lines canvas', (canvases) => canvases.map((canvas) => canvas.dataset.drawn));
    const panels = trainingCurves(facts).flatMap((training) => training.panels);
    assert.deepEqual(
      drawn,
      panels.map(({ curves }) => curves.map(({ points }) => points.length).join(' ')),
    );
    assert.ok(drawn.some((counts) => counts?.split(' ').includes(String(POINTS))));
    const all = await page.$$eval('canvas', (canvases) => canvases.map((canvas) => canvas.dataset.drawn));
    assert.ok(all.length > panels.length);
    assert.ok(all.every((counts) => counts !== undefined && counts !== ''));
    await page.close();
  });

  test('copies the whole ID of a box, and shows on asking what it was made of', async () => {
    const { page } = await openPage(browser, file, 1280, 'light');
    const ids = await page.$$eval('.box button.copy', (buttons) => buttons.map((button) => button.dataset.copy));
    assert.deepEqual(ids.toSorted(), facts.artifacts.map(({ id }) => id).toSorted());
    const ways = await page.$$eval('svg.ways path', (paths) => paths.map((path) => path.getAttribute('d')));
    assert.equal(ways.length, facts.artifacts.flatMap(({ inputs }) => Object.keys(inputs)).length);
    assert.ok(ways.every((way) => /^M[\d.]+,[\d.]+[CV]/.test(way ?? '')));
    await page.focus('.box.subject');
    assert.equal((await page.$$('.box.hot')).length, facts.artifacts.length);
    await page.click('.box.subject button.copy');
    await page.waitForSelector('.box.subject button.copied');
    await page.close();
  });

  test('draws its plots in the colours of the other scheme when the system changes', async () => {
    const { page, complaints } = await openPage(browser, file, 1280, 'light');
    const picture = () => page.$eval('.lines canvas', (canvas) => (canvas as unknown as { toDataURL(): string }).toDataURL());
    const light = await picture();
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    // the page hears of it in a task of its own
    let dark = await picture();
    for (let look = 0; look < 100 && dark === light; look += 1) {
      await sleep(50);
      dark = await picture();
    }
    assert.notEqual(dark, light);
    assert.deepEqual(complaints, []);
    await page.close();
  });
});
