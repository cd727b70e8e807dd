/**
 * Whether a difference between two policies could be chance: p-values of paired tests, two-sided, and
 * their correction for a table of several. Pure and seeded.
 */
import { uniformDraws } from './random-draws.ts';
import type { BootstrapOptions, Cluster, ClustersPair } from './statistics.ts';

/** Sums of floating-point scores are equal up to this: a tie must count as a tie. */
const TIE = 1e-12;

/**
 * McNemar's exact test (binomial, two-sided) of right and wrong answers to the same questions. Only the
 * answers that changed count: under chance each was as likely mended as broken.
 */
export function mcnemar(numFixed: number, numBroken: number): number {
  const changed = numFixed + numBroken;
  const fewer = Math.min(numFixed, numBroken);
  // In logarithms: 0.5 ** 5000 is no floating-point number.
  let logTerm = -changed * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let k = 1; k <= fewer; k += 1) {
    logTerm += Math.log(changed - k + 1) - Math.log(k);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

/**
 * Paired permutation test of a mean of ratios: under chance the two policies of an image could have been
 * exchanged, all its questions together. All exchanges are tried when there are no more of them than
 * resamples; else they are drawn, and the p-value counts the observed one (Phipson & Smyth 2010), so
 * that it is never 0. null when either side is undefined.
 */
export function permutationTest(
  pairs: readonly ClustersPair[],
  { num_resamples, seed }: BootstrapOptions,
): number | null {
  // Exchanging two equal sides changes nothing.
  const moving = pairs.filter(isChanged);
  const ratios = exchangeableRatios(pairs, moving);
  const difference = (isSwapped: Uint8Array): number => differenceOf(ratios, isSwapped);
  const isSwapped = new Uint8Array(moving.length);
  const observed = difference(isSwapped);
  if (!Number.isFinite(observed)) return null;
  const isExtreme = (): boolean => Math.abs(difference(isSwapped)) >= Math.abs(observed) - TIE;
  let extreme = 0;
  const numExchanges = 2 ** moving.length;
  if (numExchanges <= num_resamples) {
    for (let bits = 0; bits < numExchanges; bits += 1) {
      for (let place = 0; place < moving.length; place += 1) isSwapped[place] = (bits >> place) & 1;
      if (isExtreme()) extreme += 1;
    }
    return extreme / numExchanges;
  }
  const draw = uniformDraws(seed);
  for (let resample = 0; resample < num_resamples; resample += 1) {
    for (let place = 0; place < moving.length; place += 1) isSwapped[place] = draw() < 0.5 ? 1 : 0;
    if (isExtreme()) extreme += 1;
  }
  return (1 + extreme) / (1 + num_resamples);
}

/**
 * Holm's step-down correction (1979): the chance that any of the table's claims is false stays below
 * the level that its adjusted p-value is held against. In the order given.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(pValues.length).fill(1);
  let largest = 0;
  for (const [rank, { p, index }] of order.entries()) {
    largest = Math.max(largest, Math.min(1, p * (pValues.length - rank)));
    adjusted[index] = largest;
  }
  return adjusted;
}

function isChanged({ from, to }: ClustersPair): boolean {
  return from.some(({ numerator, denominator }, index) => {
    const other = to[index];
    return numerator !== other?.numerator || denominator !== other.denominator;
  });
}

/** One ratio as exchanges see it: what both sides add up to, and what an exchange moves. */
interface ExchangeableRatio {
  /** Above and below the line, both policies together. */
  readonly total: readonly [number, number];
  /** Of `from`, before any exchange. */
  readonly from: readonly [number, number];
  /** What an exchange of each moving image adds to `from`. */
  readonly gains: readonly [Float64Array, Float64Array];
}

function exchangeableRatios(
  pairs: readonly ClustersPair[],
  moving: readonly ClustersPair[],
): ExchangeableRatio[] {
  return (pairs[0]?.from ?? []).map((_, index) => {
    const sum = (side: 'from' | 'to', part: keyof Cluster): number =>
      pairs.reduce((total, pair) => total + (pair[side][index]?.[part] ?? 0), 0);
    const gain = (part: keyof Cluster): Float64Array =>
      Float64Array.from(
        moving,
        ({ from, to }) => (to[index]?.[part] ?? 0) - (from[index]?.[part] ?? 0),
      );
    const from = [sum('from', 'numerator'), sum('from', 'denominator')] as const;
    const total = [from[0] + sum('to', 'numerator'), from[1] + sum('to', 'denominator')] as const;
    return { from, total, gains: [gain('numerator'), gain('denominator')] };
  });
}

/** Mean ratio of `to` minus that of `from` after an exchange; NaN when a side is undefined. */
function differenceOf(ratios: readonly ExchangeableRatio[], isSwapped: Uint8Array): number {
  let sum = 0;
  for (const { from, total, gains } of ratios) {
    let [above, below] = from;
    isSwapped.forEach((swapped, place) => {
      if (swapped === 0) return;
      above += gains[0][place] ?? 0;
      below += gains[1][place] ?? 0;
    });
    sum += (total[0] - above) / (total[1] - below) - above / below;
  }
  return sum / ratios.length;
}
