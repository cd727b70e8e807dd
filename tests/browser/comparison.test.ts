import { describe, expect, it } from 'vitest';
import { renderComparison } from '../../report/comparison.tsx';
import { comparisonPage, poisonedComparison } from '../unit/report/comparison-fixture.ts';
import { HOSTILE_TEXTS } from '../unit/report/hostile.ts';
import { overflowOf, pagesInChromium, unfold, withoutBrowser } from './chromium.ts';

describe.skipIf(withoutBrowser())('the page of a comparison in a browser', () => {
  const open = pagesInChromium();

  it.each([1280, 390])('fits %i px, and shows images and both answers', async (width) => {
    const { page, incidents } = await open(await renderComparison(comparisonPage()), width);
    await unfold(page);

    const widths = await page
      .locator('img')
      .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).naturalWidth));
    expect(await overflowOf(page)).toBe(0);
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
      const { page, incidents } = await open(
        await renderComparison(poisonedComparison(hostile)),
        390,
      );
      await unfold(page);

      expect(incidents).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
      expect(await page.locator('script, iframe, form, base, link, object, embed').count()).toBe(0);
      await page.close();
    }
  });
});
