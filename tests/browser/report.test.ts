import { describe, expect, it } from 'vitest';
import { renderReport } from '../../report/html.tsx';
import type { ReportInput } from '../../report/input.ts';
import { finishedRun, runningRun, startingRun } from '../unit/report/fixture.ts';
import { HOSTILE_TEXTS, HOSTILE_URIS, poisoned } from '../unit/report/hostile.ts';
import { overflowOf, pagesInChromium, unfold, withoutBrowser } from './chromium.ts';

describe.skipIf(withoutBrowser())('the report in a browser', () => {
  const open = pagesInChromium();

  it.each(HOSTILE_TEXTS)(
    'stays inert with %j in every text',
    async (hostile) => {
      const { page, incidents } = await open(
        await renderReport(poisoned(await finishedRun(1), hostile, HOSTILE_URIS[0])),
      );

      await unfold(page);

      expect(incidents).toEqual([]);
      expect(await page.locator('script, iframe, form, base, link, object, embed').count()).toBe(0);
      await page.close();
    },
    60_000,
  );

  it('refuses a script even when one gets into the file', async () => {
    const html = await renderReport(await finishedRun(1));

    const { page, incidents } = await open(
      html.replace('</body>', '<script>alert(1)</script><img src=x onerror=alert(1)></body>'),
    );

    expect(incidents.filter((incident) => incident.startsWith('dialog'))).toEqual([]);
    expect(incidents.some((incident) => incident.includes('Content Security Policy'))).toBe(true);
    await page.close();
  });

  const runs: [string, () => Promise<ReportInput> | ReportInput][] = [
    ['one round', () => finishedRun(1)],
    ['ten rounds', () => finishedRun(10)],
    ['a run in progress', runningRun],
    ['a run that has just started', startingRun],
    ['very long words', async () => poisoned(await finishedRun(1), 'x'.repeat(5000), '')],
  ];

  it.each(runs)('fits a phone of 390 px: %s', async (_, make) => {
    const { page, incidents } = await open(await renderReport(await make()), 390);

    await unfold(page);

    const overflow = await overflowOf(page);
    expect(overflow).toBe(0);
    expect(incidents).toEqual([]);
    await page.close();
  });

  it('shows the pairs of the chosen rejection source only', async () => {
    const { page } = await open(await renderReport(await finishedRun(2)));
    const visiblePairs = () => page.locator('.pair:visible').count();

    expect(await visiblePairs()).toBe(12);
    await page.getByLabel('low resolution').check();
    expect(await visiblePairs()).toBe(4);
    await page.getByLabel('any source').check();
    expect(await visiblePairs()).toBe(12);
    await page.close();
  });

  it('decodes every picture and draws every chart', async () => {
    const { page } = await open(await renderReport(await finishedRun(1)));
    await unfold(page);

    const widths = await page
      .locator('img')
      .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).naturalWidth));
    const boxes = await page
      .locator('.drawing svg')
      .evaluateAll((charts) => charts.map((chart) => chart.getBoundingClientRect().height));

    expect(widths.length).toBeGreaterThan(6);
    expect(Math.min(...widths)).toBe(96);
    expect(Math.min(...boxes)).toBeGreaterThan(80);
    await page.close();
  });

  it('changes its colours in the dark', async () => {
    const { page } = await open(await renderReport(startingRun()));
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

    const light = await paper();
    await page.emulateMedia({ colorScheme: 'dark' });

    expect(light).toBe('rgb(253, 253, 252)');
    expect(await paper()).toBe('rgb(20, 23, 26)');
    await page.close();
  });
});
