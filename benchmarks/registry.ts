/** Benchmarks by the name that stands in a config. */
import type { Benchmark, BenchmarkName } from './benchmark.ts';
import { exactMatch } from './exact-match.ts';
import { scenes } from './scenes.ts';

const BENCHMARKS = {
  exact_match: exactMatch,
  scenes,
} as const satisfies Record<BenchmarkName, Benchmark>;

export function benchmarkOf(name: BenchmarkName): Benchmark {
  return BENCHMARKS[name];
}
