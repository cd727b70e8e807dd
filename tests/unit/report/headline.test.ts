import { describe, expect, it } from 'vitest';
import type { Measures } from '../../../contract/measures.ts';
import { headline } from '../../../report/headline.ts';
import type { ReportInput } from '../../../report/input.ts';
import { finishedRun } from './fixture.ts';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');

/** The run with other differences in its leading comparison. */
async function runWith(deltas: Measures, rounds = 1): Promise<ReportInput> {
  const run = await finishedRun(rounds);
  if (run.overall === null) throw new Error('the fixture compares');
  const comparison = { ...run.overall.comparison, deltas };
  return { ...run, overall: { ...run.overall, comparison } };
}

describe('the headline', () => {
  it('says that no effect is shown when the interval includes zero', async () => {
    const run = await runWith({ accuracy_dar: { value: 0.004, low: -0.01, high: 0.02, n: 600 } });

    const [first] = headline(run);

    expect(plain(first?.claim ?? '')).toBe(
      'In round 1, accuracy with describe-and-respond on scenes-test went from 61.2 % to 71.0 %, which shows no effect.',
    );
    expect(plain(first?.figures ?? '')).toBe(
      '+0.4 points, 95 % interval \u22121.0 to +2.0, which includes zero',
    );
  });

  it('says that a measure fell when it fell', async () => {
    const run = await runWith({ accuracy_dar: { value: -0.05, low: -0.08, high: -0.02, n: 600 } });

    expect(plain(headline(run)[0]?.claim ?? '')).toContain('fell from 61.2 % to 71.0 %');
  });

  it('falls back on what was measured when the decisive measure was not', async () => {
    const run = await runWith({
      hallucination_rate: { value: -0.07, low: -0.1, high: -0.03, n: 150 },
    });

    const sentences = headline(run);

    expect(sentences).toHaveLength(1);
    expect(plain(sentences[0]?.claim ?? '')).toContain(
      'the hallucination rate on scenes-test fell',
    );
  });

  it('speaks of the last compared round when the run as a whole was not compared', async () => {
    const run = { ...(await finishedRun(2)), overall: null };

    const [first] = headline(run);

    expect(plain(first?.claim ?? '')).toContain('In round 2, ');
    expect(plain(first?.claim ?? '')).toContain('from 71.0 % to 74.0 %');
  });
});
