import { describe, expect, it } from 'vitest';
import { changesOf, deltasOf, measuresOf } from '../../../benchmarks/measures.ts';
import type { ScoredItem } from '../../../contract/measures.ts';

const OPTIONS = { num_resamples: 500, seed: 1, benchmark: 'scenes' };
const image = (digit: string): string => digit.repeat(64);

function answer(
  id: string,
  score: number,
  rest: { image?: string; mode?: 'direct' | 'dar'; type?: string; parsed?: string | null } = {},
): ScoredItem {
  const mode = rest.mode ?? 'direct';
  return {
    type: 'answer',
    item_id: `${id}/${mode}`,
    image_id: image(rest.image ?? '0'),
    mode,
    question: 'What?',
    question_type: rest.type ?? 'color',
    expected: 'red',
    text: 'red',
    parsed: rest.parsed === undefined ? 'red' : rest.parsed,
    score,
  };
}

function description(digit: string, [right, claimed, truth]: [number, number, number]): ScoredItem {
  return {
    type: 'description',
    item_id: `${image(digit)}/description`,
    image_id: image(digit),
    text: 'a red cross',
    num_true_objects: truth,
    num_described: claimed,
    num_correct: right,
    hallucinated: right < claimed,
  };
}

describe('measuresOf', () => {
  it('has accuracy by mode and by question type, and the share of unparsed answers', () => {
    const measures = measuresOf(
      [
        answer('a', 1),
        answer('b', 0, { image: '1', type: 'count', parsed: null }),
        answer('a', 1, { mode: 'dar' }),
        answer('b', 1, { image: '1', type: 'count', mode: 'dar' }),
      ],
      OPTIONS,
    );

    const values = Object.entries(measures).map(([name, { value, n }]) => [name, value, n]);
    expect(values).toEqual([
      ['accuracy', 0.5, 2],
      ['accuracy/color', 1, 1],
      ['accuracy/count', 0, 1],
      ['accuracy_dar', 1, 2],
      ['accuracy_dar/color', 1, 1],
      ['accuracy_dar/count', 1, 1],
      ['unparsed_rate', 0.25, 4],
    ]);
  });

  it('sums the counts of descriptions before it divides them', () => {
    const measures = measuresOf(
      [description('0', [1, 1, 4]), description('1', [1, 3, 1]), description('2', [0, 0, 1])],
      OPTIONS,
    );

    // right 2, claimed 4, true 6, one of three images with a false claim
    expect(measures['description_precision']).toMatchObject({ value: 0.5, n: 4 });
    expect(measures['description_recall']).toMatchObject({ value: 1 / 3, n: 6 });
    expect(measures['description_f1']).toMatchObject({ value: 0.4, n: 3 });
    expect(measures['hallucination_rate']).toMatchObject({ value: 1 / 3, n: 3 });
  });

  it('leaves a measure out when there is nothing to count', () => {
    const measures = measuresOf([description('0', [0, 0, 2])], OPTIONS);

    expect(Object.keys(measures)).toEqual([
      'description_recall',
      'description_f1',
      'hallucination_rate',
    ]);
    expect(measuresOf([], OPTIONS)).toEqual({});
  });
});

describe('deltasOf', () => {
  const from = [answer('a', 0), answer('b', 1, { image: '1' }), description('0', [1, 2, 2])];
  const to = [answer('a', 1), answer('b', 1, { image: '1' }), description('0', [2, 2, 2])];

  it('is the second minus the first, for every measure both have', () => {
    const deltas = deltasOf(from, to, OPTIONS);

    expect(deltas['accuracy']?.value).toBe(0.5);
    expect(deltas['hallucination_rate']?.value).toBe(-1);
    expect(deltas['description_f1']?.value).toBe(0.5);
  });

  it('turns its sign when the sides are swapped', () => {
    const there = deltasOf(from, to, OPTIONS);
    const back = deltasOf(to, from, OPTIONS);

    for (const [name, delta] of Object.entries(there)) {
      expect(back[name]?.value).toBe(-delta.value + 0);
    }
  });

  it('compares only what both answered', () => {
    const deltas = deltasOf([...from, answer('only-here', 1, { image: '2' })], to, OPTIONS);

    expect(deltas['accuracy']).toMatchObject({ value: 0.5, n: 2 });
  });

  it('has nothing to say about a mode that one side lacks', () => {
    expect(deltasOf(from, [answer('a', 1, { mode: 'dar' })], OPTIONS)).toEqual({});
  });
});

describe('changesOf', () => {
  it('counts fixed, broken and unchanged answers of the measure alone', () => {
    const from = [answer('a', 0), answer('b', 1), answer('c', 1), answer('d', 0)];
    const to = [answer('a', 1), answer('b', 0), answer('c', 1), answer('d', 0)];
    const dar = answer('a', 1, { mode: 'dar' });

    expect(changesOf([...from, dar], [...to, dar], 'accuracy')).toEqual({
      num_fixed: 1,
      num_broken: 1,
      num_both_right: 1,
      num_both_wrong: 1,
    });
    expect(changesOf([...from, dar], [...to, dar], 'hallucination_rate').num_both_right).toBe(2);
  });
});
