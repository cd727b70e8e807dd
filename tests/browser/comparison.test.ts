import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderComparison } from '../../report/comparison.tsx';
import { comparisonPage, poisonedComparison } from '../unit/report/comparison-fixture.ts';
import { HOSTILE_TEXTS } from '../unit/report/hostile.ts';
import { fileUrl, startBrowser, withoutBrowser } from './chromium.ts';

describe.skipIf(withoutBrowser())('the page of a comparison in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });

  /** With every list unfolded. */
  async function open(html: string, width: number) {
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
    await page.goto(url, { waitUntil: 'load' });
    await page.locator('details').evaluateAll((all) => {
      for (const each of all) each.setAttribute('open', '');
    });
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    return { page, incidents, overflow };
  }

  it.each([1280, 390])('fits %i px, and shows images and both answers', async (width) => {
    const { page, incidents, overflow } = await open(
      await renderComparison(comparisonPage()),
      width,
    );

    const widths = await page
      .locator('img')
      .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).naturalWidth));
    expect(overflow).toBe(0);
    expect(incidents).toEqual([]);
    expect(widths).toEqual([1, 1, 1, 1]);
    expect(await page.getByText('It is red.').first().isVisible()).toBe(true);
    expect(await page.getByText('It is blue.').first().isVisible()).toBe(true);
    // What B has and A has not is marked.
    expect(await page.locator('.changes.fixed .chosen mark').first().textContent()).toBe('red.');
    await page.close();
  });

  it('stays inert and fits a phone with hostile texts in every place', async () => {
    // One of each five: tests/unit/report/comparison.test.ts has them all.
    for (const hostile of HOSTILE_TEXTS.filter((_, place) => place % 5 === 0)) {
      const { page, incidents, overflow } = await open(
        await renderComparison(poisonedComparison(hostile)),
        390,
      );

      expect(incidents).toEqual([]);
      expect(overflow).toBe(0);
      expect(await page.locator('script, iframe, form, base, link, object, embed').count()).toBe(0);
      await page.close();
    }
  });
});
