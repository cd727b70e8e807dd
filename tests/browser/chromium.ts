/** A headless Chromium for tests of pages. */
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

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

/** Starts Chromium without the services that would look for hosts of its maker. */
export async function startBrowser(): Promise<Browser> {
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

/** Writes the page to a file of its own, as a person would open it. */
export async function fileUrl(html: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sticflow-page-'));
  const path = join(folder, 'report.html');
  await writeFile(path, html);
  return pathToFileURL(path).href;
}
