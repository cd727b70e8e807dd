/** Curves of both trainings, a line per round, and what was computed otherwise than usual. */
import type { JSX } from 'preact';
import type { ReportRound, TrainingFacts } from '../input.ts';
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
  readonly rounds: readonly ReportRound[];
}): JSX.Element {
  const { charts, rounds } = props;
  const notes = rounds.flatMap(notesOfRound);
  return (
    <Section
      id="training"
      title="Training"
      lead={
        charts.length === 0
          ? undefined
          : `Thin: as logged. Bold: moving mean over a tenth of the steps.${rounds.length > 1 ? ' Later rounds are stronger.' : ''}`
      }
    >
      {charts.length === 0 ? <p class="empty">No training has logged a step yet.</p> : null}
      <div class="charts">
        {charts.map(({ training, metric, svg }) => (
          <Chart key={training + metric} of={TITLES[training]} title={metric} svg={svg} />
        ))}
      </div>
      {notes.length === 0 ? null : (
        <ul class="notes">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function notesOfRound({ round, training_facts = {} }: ReportRound): string[] {
  return (['preference_training', 'infused_training'] as const).flatMap((training) =>
    notesOf(training_facts[training] ?? {}).map(
      (note) => `Round ${String(round)}, ${TITLES[training].toLowerCase()}: ${note}`,
    ),
  );
}

function notesOf(facts: TrainingFacts): string[] {
  const notes: string[] = [];
  if (facts.forward === 'two_passes') {
    notes.push(
      `prompt and image were computed for each text of a pair, not once for both (${facts.forward_reason ?? 'no reason is recorded'}).`,
    );
  }
  if (facts.packed === false) {
    notes.push(
      `examples were padded, not packed (${facts.packed_reason ?? 'no reason is recorded'}).`,
    );
  }
  for (const { step, micro_batch_size } of facts.deviations ?? []) {
    notes.push(
      `memory did not suffice in step ${String(step)}; from there on ${String(micro_batch_size)} at once.`,
    );
  }
  if (facts.quantization !== undefined) notes.push(`the base had 4 bits (${facts.quantization}).`);
  if (facts.finetuning === 'full') notes.push('the language model itself was trained.');
  if (facts.world_size !== undefined) {
    notes.push(`${String(facts.world_size)} devices trained together.`);
  }
  return notes;
}
