/** What a benchmark is: how one answer and one description are read and scored. Pure. */
import type { EvaluationSetConfig, OfficialBenchmark } from '../contract/config-evaluation.ts';
import type { QuestionRecord, SceneTruth } from '../contract/records.ts';
import type { ClaimCounts } from './description-parser.ts';

/** Benchmarks of our own form; the official ones are scored from their answers files (`scorers.ts`). */
export type BenchmarkName = Exclude<EvaluationSetConfig['benchmark'], OfficialBenchmark>;

export interface AnswerScore {
  /** What was read out of the text; null when it holds no answer of the question's type. */
  readonly parsed: string | null;
  /** 0..1 */
  readonly score: number;
}

export interface Benchmark {
  readonly name: BenchmarkName;
  readonly scoreAnswer: (question: QuestionRecord, text: string) => AnswerScore;
  /** null for benchmarks without a truth to compare descriptions with. */
  readonly scoreDescription: ((truth: SceneTruth, text: string) => ClaimCounts) | null;
}
