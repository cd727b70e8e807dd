/** A study's charts as Vega-Lite specs; the rules of charts.ts hold: user texts are data values only. */
import type { TopLevelSpec } from 'vega-lite';
import type { Measure } from '../contract/measures.ts';
import type { EvaluatedPolicy } from '../contract/status.ts';
import type { ClaimResult, ProjectedPoint } from '../contract/study.ts';
import { POLICY_COLORS, THEME, WIDTH } from './charts.ts';
import { POLICY_ORDER } from './measures.ts';

export interface RowPoint {
  readonly title: string;
  readonly policy: EvaluatedPolicy;
  readonly x: number | null;
  readonly measure: Measure;
}

const percentAxis = {
  type: 'quantitative',
  title: 'per cent',
  scale: { zero: false, nice: true },
} as const;

/** One measure of every row, with its interval: over a numeric axis where rows have a place on one. */
export function rowsChart(points: readonly RowPoint[]): TopLevelSpec {
  return points.every(({ x }) => x !== null) ? overNumbers(points) : byName(points);
}

function byName(points: readonly RowPoint[]): TopLevelSpec {
  const y = {
    field: 'title',
    type: 'nominal',
    sort: null,
    title: null,
    axis: { domain: false, ticks: false, labelLimit: 170, labelColor: 'var(--ink)' },
  } as const;
  const color = policyColor();
  return {
    width: WIDTH,
    height: { step: 24 },
    config: THEME,
    data: { values: valuesOf(points) },
    encoding: { y, color },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.65 },
        encoding: { x: { field: 'low', ...percentAxis }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { x: { field: 'value', ...percentAxis } },
      },
    ],
  };
}

function overNumbers(points: readonly RowPoint[]): TopLevelSpec {
  const x = {
    field: 'x',
    type: 'quantitative',
    title: null,
    scale: { zero: true, nice: true },
    axis: { tickCount: 5, tickMinStep: 1, grid: false },
  } as const;
  const color = policyColor();
  return {
    width: WIDTH,
    height: 150,
    config: THEME,
    data: { values: valuesOf(points) },
    encoding: { x, color },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1, opacity: 0.6 },
        encoding: { y: { field: 'value', ...percentAxis } },
      },
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.65 },
        encoding: { y: { field: 'low', ...percentAxis }, y2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { y: { field: 'value', ...percentAxis } },
      },
    ],
  };
}

function policyColor() {
  const domain: string[] = [...POLICY_ORDER];
  const range: string[] = POLICY_ORDER.map((policy) => POLICY_COLORS[policy]);
  return { field: 'policy', type: 'nominal', legend: null, scale: { domain, range } } as const;
}

function valuesOf(points: readonly RowPoint[]) {
  return points.map(({ title, policy, x, measure }) => ({
    title,
    policy,
    x: x ?? 0,
    value: measure.value * 100,
    low: measure.low * 100,
    high: measure.high * 100,
  }));
}

/** The difference of every measured claim in points, against a line at zero. */
export function claimsChart(claims: readonly ClaimResult[]): TopLevelSpec {
  const values = claims.flatMap(({ delta, verdict }, index) =>
    delta === null
      ? []
      : [
          {
            // The text stands in the table; the number finds it there.
            claim: `claim ${String(index + 1)}`,
            verdict,
            value: delta.value * 100,
            low: delta.low * 100,
            high: delta.high * 100,
          },
        ],
  );
  const reach = Math.max(1, ...values.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const y = {
    field: 'claim',
    type: 'nominal',
    sort: null,
    title: null,
    axis: { domain: false, ticks: false, labelColor: 'var(--ink)', labelPadding: 8 },
  } as const;
  const domain: number[] = [-reach, reach];
  const x = {
    type: 'quantitative',
    title: 'percentage points',
    scale: { domain, nice: true },
  } as const;
  const color = {
    field: 'verdict',
    type: 'nominal',
    legend: null,
    scale: {
      domain: ['holds', 'does_not_hold', 'undecided'],
      range: ['var(--better)', 'var(--worse)', 'var(--base)'],
    },
  } as const;
  return {
    width: WIDTH,
    height: { step: 26 },
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

/** Okabe and Ito, as the page's palette; the first set lies below the others. */
export const MAP_COLORS = ['var(--base)', 'var(--infused)', 'var(--preference)', 'var(--worse)'];

/** Where t-SNE puts every image; axes mean nothing and are left out. */
export function mapChart(points: readonly ProjectedPoint[]): TopLevelSpec {
  const sets = [...new Set(points.map(({ set }) => set))];
  const values = points.map(({ set, x, y }) => ({ set: sets.indexOf(set), x, y }));
  const color = {
    field: 'set',
    type: 'nominal',
    legend: null,
    scale: { domain: sets.map((_, index) => index), range: [...MAP_COLORS] },
  } as const;
  const bare = { type: 'quantitative', axis: null, scale: { zero: false } } as const;
  return {
    width: 420,
    height: 360,
    config: THEME,
    data: { values },
    mark: { type: 'point', filled: true, size: 18, opacity: 0.7 },
    encoding: { x: { field: 'x', ...bare }, y: { field: 'y', ...bare }, color },
  };
}
