import { describe, expect, it } from 'vitest';
import { renderStudy } from '../../report/study.tsx';
import { HOSTILE_TEXTS } from '../unit/report/hostile.ts';
import { poisonedStudy, studyPage } from '../unit/report/study-fixture.ts';
import { overflowOf, pagesInChromium, withoutBrowser } from './chromium.ts';

describe.skipIf(withoutBrowser())('the page of a study in a browser', () => {
  const open = pagesInChromium();

  it.each([1280, 390])('fits %i px and draws every chart', async (width) => {
    const { page, incidents } = await open(await renderStudy(studyPage()), width);

    const overflow = await overflowOf(page);
    const heights = await page
      .locator('.drawing svg')
      .evaluateAll((charts) => charts.map((chart) => chart.getBoundingClientRect().height));
    expect(overflow).toBe(0);
    expect(incidents).toEqual([]);
    expect(heights).toHaveLength(4);
    expect(Math.min(...heights)).toBeGreaterThan(60);
    await page.close();
  });

  it('stays inert and fits a phone with hostile texts in every place', async () => {
    // One of each five: tests/unit/report/study.test.ts has them all.
    for (const hostile of HOSTILE_TEXTS.filter((_, place) => place % 5 === 0)) {
      const { page, incidents } = await open(await renderStudy(poisonedStudy(hostile)), 390);

      expect(incidents).toEqual([]);
      expect(await page.locator('script, iframe, form, base, link, object, embed').count()).toBe(0);
      const overflow = await overflowOf(page);
      expect(overflow).toBe(0);
      await page.close();
    }
  });
});
