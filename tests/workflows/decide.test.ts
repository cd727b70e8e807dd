import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Measure } from '../../contract/measures.ts';
import { decide } from '../../workflows/decide.ts';

const difference = (low: number, high: number) => {
  const delta: Measure = { value: (low + high) / 2, low, high, n: 200 };
  return { set: 'scenes-qa', measure: 'accuracy', delta };
};

describe('the decision of a round', () => {
  it.each([
    { on: 'a gain beyond doubt', low: 0.01, high: 0.09, action: 'promote', strict: 'promote' },
    { on: 'a gain touching zero', low: 0, high: 0.09, action: 'promote', strict: 'stop' },
    { on: 'no clear difference', low: -0.04, high: 0.06, action: 'promote', strict: 'stop' },
    { on: 'a loss touching zero', low: -0.09, high: 0, action: 'promote', strict: 'stop' },
    { on: 'no change at all', low: 0, high: 0, action: 'promote', strict: 'stop' },
    { on: 'a loss beyond doubt', low: -0.09, high: -0.01, action: 'keep', strict: 'stop' },
  ])('on $on is to $action, or to $strict when a gain is needed', (example) => {
    const { low, high, action, strict } = example;
    const promoted = action === 'promote';

    expect(decide(difference(low, high), false)).toMatchObject({ decision: { action }, promoted });
    expect(decide(difference(low, high), true)).toMatchObject({
      decision: { action: strict },
      promoted,
    });
  });

  it('goes by the ends of the interval, never by its middle', () => {
    const limits = fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.nat(1000));
    fc.assert(
      fc.property(limits, fc.boolean(), ([low, width], stopWithoutGain) => {
        const high = low + width / 1000;
        const { decision, promoted } = decide(difference(low, high), stopWithoutGain);

        expect(promoted).toBe(high >= 0);
        expect(decision.action === 'stop').toBe(stopWithoutGain && low <= 0);
      }),
    );
  });

  it('names measure, set, figures and number in one sentence', () => {
    const delta = { value: -0.05, low: -0.0901, high: -0.01, n: 200 };
    const { decision } = decide({ set: 'scenes-qa', measure: 'accuracy', delta }, false);

    expect(decision.reason).toBe(
      'accuracy on scenes-qa changed by -0.0500 (95 % interval -0.0901 to -0.0100, n = 200): ' +
        "worse beyond doubt, the policy of the round's start is kept",
    );
  });

  it.each([false, true])('promotes what was not measured, as the paper does (%s)', (stop) => {
    expect(decide(null, stop)).toMatchObject({
      decision: {
        action: 'promote',
        reason: 'promoted without a measurement: no evaluation set decides',
      },
      promoted: true,
    });
    const unmeasured = { set: 'scenes-qa', measure: 'accuracy', delta: null };
    const { decision, promoted } = decide(unmeasured, stop);
    expect(decision.action).toBe('promote');
    expect(decision.reason).toContain('accuracy on scenes-qa was not measured for both');
    expect(promoted).toBe(true);
  });
});
