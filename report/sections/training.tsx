/** Curves of both trainings, a line per round. */
import type { JSX } from 'preact';
import { Chart, Section } from './text.tsx';

export interface TrainingChart {
  readonly training: 'preference_training' | 'infused_training';
  readonly metric: string;
  readonly svg: string;
}

/** Metrics that are drawn, by training; names as TRL's. */
export const DRAWN_METRICS = {
  preference_training: ['loss', 'rewards/margins', 'rewards/accuracies'],
  infused_training: ['loss'],
} as const;

const TITLES = {
  preference_training: 'Preference training',
  infused_training: 'Infused training',
} as const;

export function Training(props: {
  readonly charts: readonly TrainingChart[];
  readonly numRounds: number;
}): JSX.Element {
  const { charts, numRounds } = props;
  return (
    <Section
      id="training"
      title="Training"
      lead={
        charts.length === 0
          ? undefined
          : `Thin: as logged. Bold: moving mean over a tenth of the steps.${numRounds > 1 ? ' Later rounds are stronger.' : ''}`
      }
    >
      {charts.length === 0 ? <p class="empty">No training has logged a step yet.</p> : null}
      <div class="charts">
        {charts.map(({ training, metric, svg }) => (
          <Chart key={training + metric} of={TITLES[training]} title={metric} svg={svg} />
        ))}
      </div>
    </Section>
  );
}
