/** A headless Chromium for tests of pages. */
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where the browser is: `CHROMIUM_PATH`, or one of the usual places; undefined when nowhere. */
const executable = [process.env['CHROMIUM_PATH'] ?? '', ...CANDIDATES].find(
  (path) => path !== '' && existsSync(path),
);

/**
 * True when tests that need a browser must be left out. Only outside CI, and never in silence.
 *
 * @throws Error in CI without a browser.
 */
export function withoutBrowser(): boolean {
  if (executable !== undefined) return false;
  const remedy = 'Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH.';
  if (process.env['CI'] !== undefined) throw new Error(`Expected a Chromium in CI. ${remedy}`);
  process.stderr.write(`SKIPPED: tests of pages need a Chromium; none was found. ${remedy}\n`);
  return true;
}

export interface OpenedPage {
  readonly page: Page;
  /** Dialogs, requests beside the file itself, errors, and what the page's policy refused. */
  readonly incidents: readonly string[];
}

/** One browser for the claims of a `describe`: opens pages from files of their own, as a person would. */
export function pagesInChromium(): (html: string, width?: number) => Promise<OpenedPage> {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  return async (html, width = 1280) => {
    const page = await browser.newPage({ viewport: { width, height: 844 } });
    const incidents: string[] = [];
    const url = await fileUrl(html);
    page.on('dialog', (dialog) => {
      incidents.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      const target = request.url();
      if (target !== url && !target.startsWith('data:image/')) incidents.push(`request ${target}`);
    });
    page.on('console', (message) => incidents.push(`console ${message.text()}`));
    page.on('pageerror', (error) => incidents.push(`error ${error.message}`));
    await page.goto(url, { waitUntil: 'load' });
    return { page, incidents };
  };
}

/** Opens every list of a page. */
export async function unfold(page: Page): Promise<void> {
  await page.locator('details').evaluateAll((all) => {
    for (const each of all) each.setAttribute('open', '');
  });
}

/** Pixels by which a page is wider than its window. */
export async function overflowOf(page: Page): Promise<number> {
  return await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

/** Starts Chromium without the services that would look for hosts of its maker. */
async function startBrowser(): Promise<Browser> {
  if (executable === undefined) throw new Error('withoutBrowser() was not asked first');
  return chromium.launch({
    executablePath: executable,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

async function fileUrl(html: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sticflow-page-'));
  const path = join(folder, 'report.html');
  await writeFile(path, html);
  return pathToFileURL(path).href;
}
