import { describe, expect, it } from 'vitest';
import { chartSvg } from '../../../report/chart-svg.ts';
import { effectChart, policyChart, trainingChart } from '../../../report/charts.ts';
import { measure } from './fixture-scores.ts';

describe('the specs', () => {
  it('of an effect chart put zero in the middle and a verdict on every difference', () => {
    const spec = effectChart([
      ['accuracy_dar', measure(0.125, 0.0625)],
      ['hallucination_rate', measure(-0.125, 0.0625)],
      ['accuracy', measure(0.03125, 0.0625)],
      ['description_f1', measure(-0.25, 0.0625)],
    ]);

    expect(spec).toMatchSnapshot();
  });

  it('of a policy chart show values in per cent with their intervals', () => {
    const spec = policyChart([
      { round: 1, policy: 'base', measure: measure(0.5, 0.125) },
      { round: 1, policy: 'infused_training', measure: measure(0.75, 0.125) },
    ]);

    expect(spec).toMatchSnapshot();
  });

  it('of a training chart have a line per round and leave out what is not finite', () => {
    const spec = trainingChart('loss', [
      {
        round: 1,
        rows: [
          { step: 1, values: { loss: 0.75 } },
          { step: 2, values: { loss: 0.5 } },
        ],
      },
      {
        round: 2,
        rows: [
          { step: 1, values: { loss: Number.NaN } },
          { step: 2, values: { loss: 0.25 } },
        ],
      },
    ]);

    expect(spec).toMatchSnapshot();
  });

  it('of a long training average its steps into 300 points', () => {
    const rows = Array.from({ length: 3000 }, (_, index) => ({
      step: index + 1,
      values: { loss: index < 10 ? 1 : 0 },
    }));

    const spec = trainingChart('loss', [{ round: 1, rows }]);

    const { values } = (spec as { data: { values: { step: number; value: number }[] } }).data;
    expect(values).toHaveLength(300);
    expect(values[0]).toMatchObject({ step: 10, value: 1 });
    expect(values[299]).toMatchObject({ step: 3000, value: 0 });
  });
});

describe('chartSvg', () => {
  it('escapes texts and keeps the colours of the page', async () => {
    const svg = await chartSvg(
      effectChart([['accuracy/</svg><script>alert(1)</script>', measure(0.1)]]),
    );

    expect(svg).not.toContain('<script');
    expect(svg).toContain('&lt;script&gt;');
    expect(svg).toContain('var(--better)');
  });
});
