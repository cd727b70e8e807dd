/**
 * What judging a benchmark takes and gives: the official prompts, how a reply is read, and the files
 * that the scorer of the benchmark reads. Pure but for reading; nobody is asked from here.
 */
import type { Judgement, JudgementValue } from '../../contract/judgements.ts';

export interface JudgeMessage {
  readonly role: 'system' | 'user';
  readonly content: string;
}

/** With the sampling of the official script, which a config may change. */
export interface JudgePrompt {
  readonly messages: readonly JudgeMessage[];
  readonly temperature: number;
  readonly max_reply_tokens: number;
}

/** One answer to be judged. */
export interface JudgeTask {
  readonly item_id: string;
  readonly answer: string;
  /** `answer` as the judge shall see it; tries count from 1. @throws ScoreInputError */
  readonly prompt: (answer: string, attempt: number) => JudgePrompt;
  /** null = nothing of the form asked for. Nothing but this value is ever taken from a reply. */
  readonly read: (reply: string) => JudgementValue | null;
}

export interface JudgingPlan {
  readonly tasks: readonly JudgeTask[];
  /** Answers that need no judge. */
  readonly num_by_rules: number;
  readonly scorerFiles: (
    judgements: readonly Judgement[],
    failures: FailureCounting,
  ) => ScorerInputs;
}

/** What a reply that cannot be read counts as: nothing, or what the official script makes of it. */
export type FailureCounting = 'missing' | 'official';

interface ScorerFile {
  readonly name: string;
  readonly text: string;
}

export interface ScorerInputs {
  /** Instead of the answers file; null = the answers file as it is. */
  readonly answers: ScorerFile | null;
  readonly judgements: readonly ScorerFile[];
}

export interface JudgedFiles {
  /** Folder with the questions, as the scorer reads it. */
  readonly data: string;
  readonly answers: string;
  /** `items`: prompts are not wanted, so that files which only they need may be absent. */
  readonly wanted: 'prompts' | 'items';
}

export interface BenchmarkJudging {
  /** Replies asked for, at most, when one cannot be read. */
  readonly max_tries: number;
  /** Whether the official result is over several judgings. */
  readonly runs: 'one' | 'several';
  /** @throws ScoreInputError when files are missing or broken. */
  readonly plan: (files: JudgedFiles) => Promise<JudgingPlan>;
}
