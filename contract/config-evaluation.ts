/** Knobs of evaluation and of the decision at the end of a round. */
import { z } from 'zod';
import { JudgeConfig } from './config-judge.ts';
import { SourceRef } from './source.ts';

/** Benchmarks that are read from the files their authors publish; the others from a JSONL of questions. */
export const OFFICIAL_BENCHMARKS = [
  'scienceqa',
  'textvqa',
  'chartqa',
  'llavabench',
  'mmbench',
  'mmvet',
  'mathvista',
  'pope',
  'chair',
] as const;
export type OfficialBenchmark = (typeof OFFICIAL_BENCHMARKS)[number];

/** Fields that are optional, not defaulted, came later: configs without them keep their run ids. */
export const EvaluationSetConfig = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'expected 1-40 of a-z, 0-9, _ and -'),
  benchmark: z
    .enum(['scenes', 'exact_match', ...OFFICIAL_BENCHMARKS])
    .describe('which loader, prompts and scorer'),
  data: SourceRef.optional().describe(
    "official benchmarks only: folder with the benchmark's own files (path in YAML)",
  ),
  questions: SourceRef.optional().describe(
    'scenes and exact_match: JSONL with question_id, image, question, answer, question_type (path in YAML)',
  ),
  truth: SourceRef.nullable()
    .default(null)
    .describe('scenes only: JSONL with the objects of each image'),
  image_root: SourceRef.optional().describe(
    'scenes and exact_match: folder that image names are relative to',
  ),
  question_suffix: z
    .string()
    .max(400)
    .default('')
    .describe('appended to each question on a line of its own'),
  max_images: z.int().positive().nullable().default(null).describe('seeded draw; null = all'),
  max_questions: z
    .int()
    .positive()
    .optional()
    .describe('official benchmarks only: seeded draw, the same share of each question type'),
});
export type EvaluationSetConfig = z.infer<typeof EvaluationSetConfig>;

interface SetIssue {
  readonly key: keyof EvaluationSetConfig;
  readonly message: string;
}

/** What a set lacks or has too much of for its benchmark. */
export function evaluationSetIssues(set: EvaluationSetConfig): SetIssue[] {
  const { benchmark } = set;
  const isOfficial = isOfficialBenchmark(benchmark);
  const needed = isOfficial ? (['data'] as const) : (['questions', 'image_root'] as const);
  const foreign = isOfficial
    ? (['questions', 'image_root', 'truth'] as const)
    : (['data', 'max_questions'] as const);
  const issues: SetIssue[] = [
    ...needed
      .filter((key) => set[key] === undefined)
      .map((key) => ({
        key,
        message: `missing. Expected a path, which the benchmark ${benchmark} needs`,
      })),
    ...foreign
      .filter((key) => set[key] !== undefined && set[key] !== null)
      .map((key) => ({ key, message: `means nothing to the benchmark ${benchmark}; drop it` })),
  ];
  if (isOfficial && set.question_suffix !== '') {
    const message = `would change the official prompts of ${benchmark}; drop it`;
    issues.push({ key: 'question_suffix', message });
  }
  if (benchmark === 'scenes' && set.truth === null) {
    const message = 'the scenes benchmark needs the file with the true objects';
    issues.push({ key: 'truth', message });
  }
  return issues;
}

export function isOfficialBenchmark(
  name: EvaluationSetConfig['benchmark'],
): name is OfficialBenchmark {
  return OFFICIAL_BENCHMARKS.some((official) => official === name);
}

export const EvaluationConfig = z.strictObject({
  sets: z.array(EvaluationSetConfig).max(16).default([]),
  policies: z
    .array(z.enum(['base', 'preference_training', 'infused_training']))
    .default(['base', 'preference_training', 'infused_training'])
    .describe('base = the policy at the start of the round'),
  describe_and_respond: z
    .enum(['on', 'off', 'both'])
    .default('both')
    .describe('DaR: describe first, then answer'),
  describe_blind: z
    .literal(true)
    .optional()
    .describe('DaR describes without the image, as the released STIC script does by mistake'),
  max_new_tokens: z
    .int()
    .min(1)
    .max(8192)
    .default(1024)
    .describe('STIC evaluation scripts; greedy'),
  num_bootstrap: z
    .int()
    .min(100)
    .max(100_000)
    .default(2000)
    .describe('resamples of a 95 % interval, by image'),
  // Optional, not defaulted: configs without it keep their run ids.
  judge: JudgeConfig.optional().describe(
    'who judges what rules cannot score; without one such scores stay missing',
  ),
});
export type EvaluationConfig = z.infer<typeof EvaluationConfig>;

export const DecisionConfig = z.strictObject({
  set: z
    .string()
    .nullable()
    .default(null)
    .describe('evaluation set that decides; null = the first'),
  measure: z
    .string()
    .default('accuracy_dar')
    .describe('measure whose paired difference, end of the round minus start, decides'),
  stop_without_gain: z
    .boolean()
    .default(false)
    .describe('stop when the interval of the difference does not exclude zero from above'),
});
export type DecisionConfig = z.infer<typeof DecisionConfig>;
