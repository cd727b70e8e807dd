import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ScoredItem } from '../../../contract/measures.ts';
import { PaperResults } from '../../../contract/paper-results.ts';
import { StudyDescription } from '../../../contract/study.ts';
import { paperResultsFile } from '../../../store/layout.ts';
import { gainsByImage } from '../../../studies/gains.ts';
import { measure } from '../../../studies/measured.ts';

const paper = PaperResults.parse(JSON.parse(readFileSync(paperResultsFile(), 'utf8')));
const OPTIONS = { num_resamples: 500, seed: 3 };
const IMAGES = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(64));

/** One question an image; `right` says which are answered right. */
function answers(right: readonly boolean[], mode: 'direct' | 'dar' = 'direct'): ScoredItem[] {
  return right.map((isRight, place) => ({
    type: 'answer',
    item_id: `q${place}/${mode}`,
    image_id: IMAGES[place] ?? '',
    mode,
    question: 'How many?',
    question_type: 'count',
    expected: '2',
    text: isRight ? '2' : '3',
    parsed: '2',
    score: isRight ? 1 : 0,
  }));
}

const description = StudyDescription.parse({
  name: 'small',
  title: 'A small study',
  question: 'Does it work?',
  sizes: { quick: { base: 'scenes-quick', seeds: [0, 1] } },
  arms: [
    { name: 'one', title: 'One' },
    { name: 'two', title: 'Two' },
  ],
  measures: ['accuracy', 'hallucination_rate'],
  rows: [
    { name: 'before', title: 'Before', arm: 'one', policy: 'base' },
    { name: 'after', title: 'After', arm: 'one', policy: 'infused_training' },
    { name: 'missing', title: 'Missing', arm: 'two', policy: 'infused_training' },
  ],
  claims: [
    {
      name: 'gain',
      text: 'It helps.',
      from: { row: 'before', measure: 'accuracy' },
      to: { row: 'after', measure: 'accuracy' },
      expected: 'higher',
    },
    {
      name: 'unmeasured',
      text: 'The other one helps.',
      from: { row: 'before', measure: 'accuracy' },
      to: { row: 'missing', measure: 'accuracy' },
      expected: 'higher',
    },
  ],
});

describe('the figures of a study', () => {
  const all = [true, true, true, true];
  const none = [false, false, false, false];
  const items = new Map([
    [
      'before',
      new Map([
        [0, answers(none)],
        [1, answers([true, false, false, false])],
      ]),
    ],
    [
      'after',
      new Map([
        [0, answers(all)],
        [1, answers(all)],
      ]),
    ],
    ['missing', new Map<number, ScoredItem[]>()],
  ]);
  const { rows, claims } = measure(description, items, paper, OPTIONS);

  it('are means over seeds, with the number of seeds', () => {
    // 0 of 4 and 1 of 4.
    expect(rows[0]).toMatchObject({ num_seeds: 2, measures: { accuracy: { value: 0.125, n: 8 } } });
    expect(rows[1]).toMatchObject({ num_seeds: 2, measures: { accuracy: { value: 1 } } });
  });

  it('of a measure that the items do not allow are left out, never made up', () => {
    expect(rows[0]?.measures).not.toHaveProperty('hallucination_rate');
  });

  it('of a row without runs are empty, and the row is there', () => {
    expect(rows[2]).toMatchObject({ name: 'missing', num_seeds: 0, measures: {} });
  });

  it('carry a claim that they decide', () => {
    expect(claims[0]).toMatchObject({ verdict: 'holds', num_seeds: 2, delta: { value: 0.875 } });
    expect(claims[0]?.delta?.low).toBeGreaterThan(0);
  });

  it('leave a claim open whose side was not measured', () => {
    expect(claims[1]).toMatchObject({ verdict: 'not_measured', delta: null, num_seeds: 0 });
  });

  it('pair only seeds that both sides have', () => {
    const half = new Map(items).set('after', new Map([[1, answers(all)]]));
    const [gain] = measure(description, half, paper, OPTIONS).claims;

    // Seed 1 alone: 4 of 4 against 1 of 4; one seed decides nothing.
    expect(gain).toMatchObject({ verdict: 'undecided', num_seeds: 1, delta: { value: 0.75 } });
  });
});

describe('the gain of images by their distance', () => {
  it('correlates what is near with what gains', () => {
    const from = new Map([[0, answers([false, false, true, true], 'dar')]]);
    const to = new Map([[0, answers([true, true, true, false], 'dar')]]);
    // Gains 1, 1, 0, -1 at distances 1, 2, 3, 4: ranks 3.5, 3.5, 2, 1 against 1, 2, 3, 4.
    const distances = IMAGES.map((image_id, place) => ({
      set: 'test',
      image_id,
      distance: place + 1,
    }));
    const { gains, correlation } = gainsByImage(
      { sets: [{ set: 'test', from, to }], measure: 'accuracy_dar', distances },
      OPTIONS,
    );

    expect(gains).toMatchObject([{ set: 'test', gain: { value: 0.25, n: 4 } }]);
    expect(correlation).toMatchObject({ n: 4 });
    expect(correlation?.value).toBeCloseTo(-4.5 / Math.sqrt(4.5 * 5), 12);
  });
});
