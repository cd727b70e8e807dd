import { describe, expect, it } from 'vitest';
import { renderComparison } from '../../../report/comparison.tsx';
import { comparisonPage, poisonedComparison } from './comparison-fixture.ts';
import { HOSTILE_TEXTS, HOSTILE_URIS } from './hostile.ts';

/** What a reader sees: tags out, entities back, white space folded. */
function textOf(html: string): string {
  return html
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
    .replace(/[\s\u202f]+/g, ' ');
}

describe('the page of a comparison', async () => {
  const html = await renderComparison(comparisonPage());
  const text = textOf(html);

  it('names both sides and counts the answers of all sets', () => {
    expect(text).toContain('A: eval-0000000001 round 1, base');
    expect(text).toContain('B: scenes-0000000002:1 round 1, infused training');
    expect(text).toContain(
      'Fixed 61 answers Broken 2 answers Wrong on both sides 1 answer Right on both sides 261 answers',
    );
  });

  it('gives each measure both values, the difference, its interval and its test', () => {
    expect(text).toContain(
      'Direct answers 240 50.0 % 45.0 to 55.0 60.0 % 55.0 to 65.0 +10.0 points, better +6.0 to +14.0 <0.0001 mcnemar <0.0001',
    );
    expect(text).toContain('+1.0 points, no effect shown \u22123.0 to +5.0 0.6000');
    expect(text).toContain('Direct answers · IMG');
  });

  it('shows changed and wrong answers with question, both answers and scores, and how many it leaves out', () => {
    expect(text).toContain('Fixed: 60 answers, 1 shown');
    expect(text).toContain(
      'What color is it? expected red fixed/direct , scores 0 and 1 A It is blue. B It is red.',
    );
    expect(text).toContain('judged broken/direct , scores 1 and 0.4');
    expect(text).toContain('a question about text alone');
    expect(html.match(/<img /g)).toHaveLength(4);
  });

  it('has the full prompts where they are more than the question', () => {
    expect(text).toContain(
      'A was asked Image description: A blue one. What color is it? B was asked Image description: A red one.',
    );
    expect(html.match(/prompts<\/summary>/g)).toHaveLength(1);
  });

  it('says what was not compared, and why', () => {
    expect(text).toContain('1 set not compared');
    expect(text).toContain('pope the chat templates differ: "a" and "b"');
  });

  it('is a page also where nothing could be compared', async () => {
    const nothing = textOf(await renderComparison({ ...comparisonPage(), sets: [] }));

    expect(nothing).toContain('the chat templates differ');
    expect(nothing).not.toContain('Differences');
  });

  it.each(HOSTILE_TEXTS)('shows %j as text', async (hostile) => {
    const page = await renderComparison(poisonedComparison(hostile));

    expect(page).not.toMatch(/<(?:script|iframe|form|base|link|object|embed|svg|math)[\s/>]/);
    expect(page).not.toMatch(/<[^>]* on\w+=/);
    expect(page).not.toMatch(/\p{Cs}/u);
  });

  it.each(HOSTILE_URIS)('has no image from %j', async (uri) => {
    const page = await renderComparison(poisonedComparison('text', uri));

    expect(page).not.toContain('<img');
  });
});
