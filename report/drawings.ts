/** Decides which charts a run gets and draws them. */
import { chartSvg } from './chart-svg.ts';
import { effectChart, type PolicyPoint, policyChart, trainingChart } from './charts.ts';
import { findOutcome } from './headline.ts';
import type { ReportInput } from './input.ts';
import { headlineNames } from './measures.ts';
import type { MeasureChart } from './sections/results.tsx';
import { DRAWN_METRICS, type TrainingChart } from './sections/training.tsx';

export interface Drawings {
  /** Of the leading comparison; null when nothing was compared. */
  readonly effect: string | null;
  readonly measures: readonly MeasureChart[];
  readonly training: readonly TrainingChart[];
}

/** Measures drawn per round; precision and recall stand in the table and in F1. */
const DRAWN_MEASURES = ['accuracy', 'accuracy_dar', 'description_f1', 'hallucination_rate'];

export async function drawCharts(input: ReportInput): Promise<Drawings> {
  return {
    effect: await drawEffect(input),
    measures: await drawMeasures(input),
    training: await drawTraining(input),
  };
}

async function drawEffect(input: ReportInput): Promise<string | null> {
  const deltas = findOutcome(input)?.comparison.comparison.deltas;
  if (deltas === undefined) return null;
  const shown = headlineNames([deltas]).flatMap((name) => {
    const delta = deltas[name];
    return delta === undefined ? [] : [[name, delta] as const];
  });
  return chartSvg(effectChart(shown));
}

async function drawMeasures({ rounds }: ReportInput): Promise<MeasureChart[]> {
  const sets = new Set(rounds.flatMap(({ scores }) => scores.map(({ set }) => set)));
  const charts: MeasureChart[] = [];
  for (const set of sets) {
    for (const measure of DRAWN_MEASURES) {
      const points = rounds.flatMap(({ round, scores }) =>
        scores.flatMap(({ set: of, policy, scores: { measures } }): PolicyPoint[] => {
          const value = of === set ? measures[measure] : undefined;
          return value === undefined ? [] : [{ round, policy, measure: value }];
        }),
      );
      if (points.length > 0)
        charts.push({ set, measure, svg: await chartSvg(policyChart(points)) });
    }
  }
  return charts;
}

async function drawTraining({ rounds }: ReportInput): Promise<TrainingChart[]> {
  const charts: TrainingChart[] = [];
  for (const training of ['preference_training', 'infused_training'] as const) {
    for (const metric of DRAWN_METRICS[training]) {
      const lines = rounds.map(({ round, training: curves }) => ({
        round,
        rows: (curves[training] ?? []).filter(({ values }) => values[metric] !== undefined),
      }));
      if (lines.every(({ rows }) => rows.length === 0)) continue;
      charts.push({ training, metric, svg: await chartSvg(trainingChart(metric, lines)) });
    }
  }
  return charts;
}
