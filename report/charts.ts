/**
 * The page's charts as Vega-Lite specs: plain data, no rendering. Colours are the page's CSS
 * variables, so that one SVG serves light, dark and print. Texts of users enter as data values only,
 * never as field names or expressions.
 */
import type { TopLevelSpec } from 'vega-lite';
import type { Measure } from '../contract/measures.ts';
import type { EvaluatedPolicy } from '../contract/status.ts';
import type { TrainingRow } from './input.ts';
import { measureLabel, POLICY_ORDER, verdict } from './measures.ts';

/** Four to a row on a desk, one to a row on a phone, never scaled down: labels stay readable. */
export const WIDTH = 200;

export const POLICY_COLORS: Record<EvaluatedPolicy, string> = {
  base: 'var(--base)',
  preference_training: 'var(--preference)',
  infused_training: 'var(--infused)',
};

/** Shared by all charts of all pages. */
export const THEME = {
  background: 'transparent',
  font: 'sans-serif',
  padding: 4,
  view: { stroke: null },
  axis: {
    domainColor: 'var(--line-strong)',
    tickColor: 'var(--line-strong)',
    gridColor: 'var(--line)',
    labelColor: 'var(--ink-soft)',
    titleColor: 'var(--ink-soft)',
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    tickSize: 4,
  },
  // Same room for labels in every chart, so that charts in a row line up.
  axisY: { minExtent: 30 },
} as const;

export interface PolicyPoint {
  readonly round: number;
  readonly policy: EvaluatedPolicy;
  readonly measure: Measure;
}

/** One measure of every policy of every round, with its 95 % interval. */
export function policyChart(points: readonly PolicyPoint[]): TopLevelSpec {
  const values = points.map(({ round, policy, measure }) => ({
    round,
    policy,
    value: measure.value * 100,
    low: measure.low * 100,
    high: measure.high * 100,
  }));
  const x = {
    field: 'round',
    type: 'ordinal',
    title: 'round',
    axis: { labelAngle: 0, ticks: false, grid: false },
  } as const;
  const domain: string[] = [...POLICY_ORDER];
  const range: string[] = POLICY_ORDER.map((policy) => POLICY_COLORS[policy]);
  const policy = { field: 'policy', type: 'nominal' } as const;
  const xOffset = { ...policy, scale: { domain } };
  const color = { ...policy, legend: null, scale: { domain, range } };
  const y = {
    type: 'quantitative',
    title: 'per cent',
    scale: { zero: false, nice: true },
  } as const;
  return {
    width: WIDTH,
    height: 150,
    config: THEME,
    data: { values },
    encoding: { x, xOffset, color },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.65 },
        encoding: { y: { field: 'low', ...y }, y2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { y: { field: 'value', ...y } },
      },
    ],
  };
}

/** Paired differences of several measures in percentage points, against a line at zero. */
export function effectChart(deltas: readonly (readonly [string, Measure])[]): TopLevelSpec {
  const values = deltas.map(([name, delta]) => ({
    measure: measureLabel(name),
    value: delta.value * 100,
    low: delta.low * 100,
    high: delta.high * 100,
    verdict: verdict(name, delta),
  }));
  const reach = Math.max(1, ...values.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const y = {
    field: 'measure',
    type: 'nominal',
    sort: null,
    title: null,
    axis: {
      domain: false,
      ticks: false,
      labelFontSize: 12,
      labelColor: 'var(--ink)',
      labelLimit: 0,
      labelPadding: 8,
    },
  } as const;
  const domain: number[] = [-reach, reach];
  const axis = { type: 'quantitative', title: 'percentage points' } as const;
  const x = { ...axis, scale: { domain, nice: true } };
  const color = {
    field: 'verdict',
    type: 'nominal',
    legend: null,
    scale: {
      domain: ['better', 'worse', 'not_shown'],
      range: ['var(--better)', 'var(--worse)', 'var(--base)'],
    },
  } as const;
  return {
    width: WIDTH,
    height: { step: 30 },
    config: THEME,
    data: { values },
    layer: [
      {
        data: { values: [{}] },
        mark: { type: 'rule', color: 'var(--ink-soft)', strokeDash: [3, 3] },
        encoding: { x: { datum: 0, type: 'quantitative' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 3, opacity: 0.6 },
        encoding: { y, color, x: { field: 'low', ...x }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 80, opacity: 1 },
        encoding: { y, color, x: { field: 'value', ...x } },
      },
    ],
  };
}

export interface TrainingLine {
  readonly round: number;
  readonly rows: readonly TrainingRow[];
}

/** Points drawn per line; more are averaged into this many. */
const MAX_POINTS = 300;

/**
 * One metric over optimizer steps, a line per round; the last round is the strongest. Rounds are
 * faint where they are raw values and bold where they are the moving mean over a tenth of the steps.
 */
export function trainingChart(metric: string, lines: readonly TrainingLine[]): TopLevelSpec {
  const values = lines.flatMap(({ round, rows }) => {
    const points = thinned(
      rows.flatMap(({ step, values: row }) => {
        const value = row[metric];
        return value === undefined || !Number.isFinite(value) ? [] : [{ step, value }];
      }),
    );
    const means = movingMean(
      points.map(({ value }) => value),
      Math.ceil(points.length / 20),
    );
    return points.map((point, index) => ({ ...point, mean: means[index] ?? point.value, round }));
  });
  const last = Math.max(1, ...lines.map(({ round }) => round));
  const x = {
    field: 'step',
    type: 'quantitative',
    title: 'optimizer step',
    axis: { tickMinStep: 1, tickCount: 5, grid: false },
  } as const;
  const y = { type: 'quantitative', title: null, scale: { zero: false, nice: true } } as const;
  const color = { value: 'var(--infused)' } as const;
  const strength = {
    field: 'round',
    type: 'quantitative',
    legend: null,
    scale: { domain: [Math.min(1, last - 1), last], range: [0.35, 1] },
  } as const;
  const detail = { field: 'round', type: 'nominal' } as const;
  return {
    width: WIDTH,
    height: 130,
    config: THEME,
    data: { values },
    encoding: { x, color, detail },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1, opacity: 0.22 },
        encoding: { y: { field: 'value', ...y } },
      },
      {
        mark: { type: 'line', strokeWidth: 2 },
        encoding: { y: { field: 'mean', ...y }, strokeOpacity: strength },
      },
    ],
  };
}

interface Point {
  readonly step: number;
  readonly value: number;
}

function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= MAX_POINTS) return points;
  return Array.from({ length: MAX_POINTS }, (_, bin) => {
    const from = Math.floor((bin * points.length) / MAX_POINTS);
    const to = Math.floor(((bin + 1) * points.length) / MAX_POINTS);
    const members = points.slice(from, to);
    return { step: members.at(-1)?.step ?? 0, value: mean(members.map(({ value }) => value)) };
  });
}

/** Mean over `reach` values on either side, fewer at the ends. */
function movingMean(values: readonly number[], reach: number): number[] {
  return values.map((_, index) =>
    mean(values.slice(Math.max(0, index - reach), index + reach + 1)),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
