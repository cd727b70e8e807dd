/** What scoring an existing answers file takes and gives; every benchmark's `score` has this shape. */

/**
 * `official` counts what the benchmark's own script counts, quirks included; `robust` reads answers
 * the way a person would. Neither ever guesses: what cannot be read is wrong and counted as unparsed.
 */
export type ParserName = 'official' | 'robust';

export interface ScoreFiles {
  /** Folder with the benchmark's questions and answers. */
  readonly data: string;
  readonly answers: string;
  /** Recorded grades or reviews of a judge; null where the benchmark needs none. */
  readonly judgements: string | null;
  readonly parser: ParserName;
}

export interface ItemScore {
  readonly item_id: string;
  /** What was read out of the answer; null = nothing. */
  readonly parsed: string | null;
  /** 0..1, or what the benchmark's judge gave; null = not judged. */
  readonly score: number | null;
}

/** Figures by name, nested as the benchmark reports them; null = undefined, as 0 of 0. */
export type Metrics = { readonly [name: string]: MetricValue };
type MetricValue = number | string | null | readonly MetricValue[] | Metrics;

export interface BenchmarkScore {
  readonly metrics: Metrics;
  readonly unparsed: number;
  readonly items: readonly ItemScore[];
}

export type Scorer = (files: ScoreFiles) => Promise<BenchmarkScore>;

/** Something in the user's files that no score can be given for; the message says what to do. */
export class ScoreInputError extends Error {
  override readonly name = 'ScoreInputError';
}

/** null for 0 of 0, which the official scripts crash on. */
export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
