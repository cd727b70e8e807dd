import { describe, expect, it } from 'vitest';
import { renderStudy } from '../../../report/study.tsx';
import { HOSTILE_TEXTS } from './hostile.ts';
import { poisonedStudy, studyPage } from './study-fixture.ts';

/** What a reader sees: tags out, entities back, white space folded. */
function textOf(html: string): string {
  return html
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replace(/[\s\u202f]+/g, ' ');
}

describe('the page of a study', async () => {
  const html = await renderStudy(studyPage());
  const text = textOf(html);

  it('leads with the question, the size and how many claims were decided', () => {
    expect(text).toContain('Describe-and-respond by stage');
    expect(text).toContain('quick size 2 seeds 240 images of the set test');
    expect(text).toContain('holds 1 claim does not hold 1 claim undecided 1 claim');
  });

  it('gives each claim its difference, interval, the paper and the verdict', () => {
    expect(text).toContain(
      'Describe-and-respond hurts the base. Direct answers, expected higher; 2 seeds \u22129.0 \u221213.0 to \u22125.0 \u22122.3 holds',
    );
    expect(text).toContain(
      'STIC beats POVID. Direct answers, expected higher; 0 seeds not measured +0.7 not measured',
    );
  });

  it('warns of intervals over few seeds', () => {
    expect(text).toContain(
      'With 2 seeds the part of an interval that comes from seeds is too narrow',
    );
  });

  it('has a row for every policy, also where nothing was measured', () => {
    expect(text).toContain('POVID-like 0 seeds not measured not measured');
    expect(text).toContain('70.0 % 68.0 to 72.0');
  });

  it("stands beside the paper's table with its source, unknown figures named so", () => {
    expect(text).toContain('Original 54.8 unknown');
    expect(text).toContain('arXiv:2405.19716. As printed.');
  });

  it('shows failed and missing runs with the reason, on top and in the list', () => {
    expect(text).toContain('2 runs of 3 gave no figures (not available, failed): see Runs.');
    expect(text).toContain('failed The loss of step 2 is not finite.');
    expect(text).toContain('not available in this version: the arm "povid" needs strategy');
  });

  it('claims no connection that its interval does not carry', () => {
    expect(text).toContain('no connection is shown, the interval includes zero');
    expect(text).toContain('Fréchet distance² MMD² Mixing');
  });

  it('draws claims, measures and the map, and states the size in figures', () => {
    expect(html.match(/<svg /g)).toHaveLength(4);
    expect(text).toContain('2 seeds (0, 1)');
    expect(text).toContain('80 images a round');
  });
});

describe('texts of somebody in a study', () => {
  it.each(HOSTILE_TEXTS)('leave the page without active markup: %j', async (hostile) => {
    const html = await renderStudy(poisonedStudy(hostile));

    // Charts repeat texts in quoted attributes, where they are as inert as between tags.
    const tags = html.replace(/<style>[\s\S]*?<\/style>/, '').replace(/="[^"]*"/g, '=""');
    expect(/<(script|img|iframe|base|link|form|math|button)\b/.exec(tags)).toBeNull();
    expect(/<[^>]*\son\w+=/.exec(tags)).toBeNull();
    expect(/\p{Cs}|\0/u.exec(html)).toBeNull();
  });
});
