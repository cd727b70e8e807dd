/** How benchmarks are judged, by name. A new one is its file and a line here. */
import type { JudgedBenchmark } from '../../contract/config-judge.ts';
import type { BenchmarkJudging } from './judging.ts';
import { llavabenchJudging } from './llavabench.ts';
import { mathvistaJudging } from './mathvista.ts';
import { mmbenchJudging } from './mmbench.ts';
import { mmvetJudging } from './mmvet.ts';

const JUDGINGS = {
  llavabench: llavabenchJudging,
  mmvet: mmvetJudging,
  mathvista: mathvistaJudging,
  mmbench: mmbenchJudging,
} as const satisfies Record<JudgedBenchmark, BenchmarkJudging>;

export function judgingOf(benchmark: JudgedBenchmark): BenchmarkJudging {
  return JUDGINGS[benchmark];
}
