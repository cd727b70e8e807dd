/** What every benchmark takes and gives. */

export interface BenchOptions {
  /** Config of the run to measure; null = the benchmark's own. */
  readonly config: string | null;
  readonly overrides: readonly string[];
  /** Options that only the benchmark itself understands. */
  readonly others: readonly string[];
  readonly say: (line: string) => void;
}

/** `ratio` is how many times better ours is, or how many times longer the durable run takes: `details` says which. */
export interface BenchResult {
  readonly name: string;
  readonly peer: string;
  readonly ratio: number;
  readonly details: Readonly<Record<string, unknown>>;
}

export type Bench = (options: BenchOptions) => Promise<BenchResult>;

/** Three decimals: what a timing on a shared machine carries at most. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
