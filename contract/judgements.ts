/**
 * What a judge said of the answers of one benchmark. A judgement that failed has no value: it is
 * missing, with a reason, and never a number.
 */
import { z } from 'zod';
import { Sha256 } from './artifact.ts';
import { JudgedBenchmark } from './config-judge.ts';

/** Why an answer has no judgement. */
export const MISSING_REASONS = [
  /** The replies held nothing of the form asked for, after all tries. */
  'unreadable',
  /** The judge declined. */
  'refused',
  /** The server did not accept this request (400, 413, 422). */
  'rejected',
  /** The server did not answer, over all retries and attempts. */
  'unavailable',
  /** The spending cap came first. */
  'spending_cap',
  /** `policy`: the reply is still to be generated; never in a judging that is finished. */
  'not_generated',
  /** `replay`: the recording does not have it. */
  'not_recorded',
  /** `none`: nobody was asked. */
  'no_judge',
] as const;
export const MissingReason = z.enum(MISSING_REASONS);
export type MissingReason = z.infer<typeof MissingReason>;

/** LLaVA-Bench: points of reference and model; MM-Vet: 0..1; MathVista: the extraction; MMBench: a letter. */
export const JudgementValue = z.union([z.tuple([z.number(), z.number()]), z.number(), z.string()]);
export type JudgementValue = z.infer<typeof JudgementValue>;

/** `judgements.jsonl`: one answer, judged once. */
export const Judgement = z.strictObject({
  item_id: z.string(),
  run: z.int().min(1).describe('which of several judgings of the same answer'),
  value: JudgementValue.nullable().describe('null = missing'),
  missing: MissingReason.nullable().describe('null = judged'),
  text: z.string().nullable().describe('last reply as it came; null where none came'),
  tries: z.int().nonnegative().describe('replies asked for, because they could not be read'),
  prompt_tokens: z.int().nonnegative().nullable().describe('as the server counts, over all tries'),
  completion_tokens: z.int().nonnegative().nullable(),
  finish_reason: z.string().nullable(),
  prompt_sha256: Sha256.nullable().describe('of the messages of the first try, canonical JSON'),
  answer_cut: z.boolean().describe('the judge saw the first max_answer_chars of the answer only'),
  served_model: z.string().nullable().describe('model and version as the server names it'),
});
export type Judgement = z.infer<typeof Judgement>;

/**
 * Who judged. Results whose `label` differs are never compared or put into one column: it names the
 * model asked for, the versions that were served, and the prompt where it is not the official one.
 */
export const JudgeIdentity = z.strictObject({
  kind: z.enum(['openai', 'replay', 'policy', 'none']),
  model: z.string().nullable().describe('as asked for; null = nobody'),
  served_models: z.array(z.string()).describe('as the server named them, sorted; one is usual'),
  prompt: z.enum(['official', 'fenced']),
  temperature: z.number().nullable().describe('null = official'),
  label: z.string(),
});
export type JudgeIdentity = z.infer<typeof JudgeIdentity>;

export const JudgingCounts = z.strictObject({
  items: z.int().describe('judgements wanted: answers that need one, times runs'),
  judged: z.int(),
  missing: z.int(),
  by_rules: z.int().describe('answers that needed no judge'),
  answers_cut: z.int(),
});
export type JudgingCounts = z.infer<typeof JudgingCounts>;

/** `judging.json` of a `judgements` artifact. */
export const Judging = z.strictObject({
  schema_version: z.literal(1),
  benchmark: JudgedBenchmark,
  judge: JudgeIdentity,
  num_runs: z.int().min(1),
  official_failures: z.boolean(),
  counts: JudgingCounts,
  missing_by_reason: z.partialRecord(MissingReason, z.int()),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  partial: z
    .boolean()
    .describe('something is missing: shown as "97/100 judged", and refused in a comparison'),
  scorer_files: z
    .strictObject({
      answers: z.string().nullable().describe('read instead of the answers file; null = as it was'),
      judgements: z.array(z.string()).describe('one a run of the judge, or one with all runs'),
    })
    .describe('files of this artifact that the scorer of the benchmark reads'),
});
export type Judging = z.infer<typeof Judging>;
