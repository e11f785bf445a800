import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, launch, type Page } from 'puppeteer-core';

/** Names under which systems have it, Debian's first. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const program = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find(isProgram);

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why no page can be opened here; throws where the machine has promised a browser. */
export function missingBrowser(): string | undefined {
  if (program !== undefined) return undefined;
  const reason = 'there is no chromium: bash scripts/ci/chromium.sh';
  if (process.env.ZEPHYR_TEST_REQUIRE?.split(',').includes('chromium')) throw new Error(`Cannot test pages: ${reason}`);
  return reason;
}

/** A browser without a window; root has no sandbox, and what it opens are pages of our own. */
export async function openBrowser(): Promise<Browser> {
  return await launch({ executablePath: program as string, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface Opened {
  readonly page: Page;
  /** what the console and the network said that should not be: errors, warnings, requests for anything but the page */
  readonly complaints: readonly string[];
}

/** Opens a file as on a screen of this width. */
export async function openPage(browser: Browser, file: string, width: number, scheme: 'light' | 'dark'): Promise<Opened> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  const address = pathToFileURL(file).href;
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on('request', (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith('data:')) complaints.push(`request: ${url}`);
  });
  await page.setViewport({ width, height: 900, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(address);
  return { page, complaints };
}

/** What can be seen to be wrong with an open page, each as the elements that it is wrong with. */
export interface PageFlaws {
  /** pixels that the page takes */
  readonly width: number;
  /** elements that reach beyond the screen */
  readonly outside: readonly string[];
  /** texts with less contrast than 4.5 to what is behind them */
  readonly faint: readonly string[];
  /** plots without a pixel */
  readonly blank: readonly string[];
}

export async function flawsOf(page: Page): Promise<PageFlaws> {
  await page.evaluate(readFileSync(new URL('page-flaws.mjs', import.meta.url), 'utf8'));
  return (await page.evaluate('pageFlaws()')) as PageFlaws;
}
