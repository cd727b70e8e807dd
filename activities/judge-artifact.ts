/** The `judgements` artifact: every judgement, what they amount to, and the files that the scorer reads. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JudgingPlan, ScorerInputs } from '../benchmarks/judging/judging.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { JudgedBenchmark } from '../contract/config-judge.ts';
import type { JudgeIdentity, Judgement, Judging } from '../contract/judgements.ts';
import { canonicalJson, type JsonObject, sha256Hex } from '../store/canonical.ts';
import { writeLines } from '../store/lines.ts';
import type { BuildSpec, Store } from '../store/store.ts';
import type { Judge } from './judge-interface.ts';

const STAGE_VERSION = 1;

export interface JudgedBenchmarkWork {
  readonly benchmark: JudgedBenchmark;
  readonly data: ArtifactRef;
  readonly answers: ArtifactRef;
  readonly answers_file: string;
  /** The checkpoint that judges; absent where somebody else does. */
  readonly model?: ArtifactRef;
  readonly num_runs: number;
  readonly official_failures: boolean;
  /** What a judgement depends on besides the answers. */
  readonly parameters: JsonObject;
}

/** Names the work folder: the same for every attempt, whatever comes of them. */
export function judgingSpec(work: JudgedBenchmarkWork): BuildSpec {
  const { benchmark, data, answers, answers_file, num_runs, official_failures, model } = work;
  return {
    kind: 'judgements',
    inputs: [data, answers, ...(model === undefined ? [] : [model])],
    parameters: { benchmark, answers_file, num_runs, official_failures, ...work.parameters },
    version: STAGE_VERSION,
  };
}

/**
 * Publishes what was judged. The key is over the judgements too: a judge does not repeat itself, and
 * what is missing now may be there when judging is taken up again.
 */
export async function publishJudgements(
  store: Store,
  work: JudgedBenchmarkWork,
  {
    judge,
    plan,
    judgements,
  }: {
    readonly judge: Judge;
    readonly plan: JudgingPlan;
    readonly judgements: readonly Judgement[];
  },
): Promise<{ readonly ref: ArtifactRef; readonly judging: Judging }> {
  const inputs = plan.scorerFiles(judgements, work.official_failures ? 'official' : 'missing');
  const judging = summaryOf(work, { judge, judgements, inputs, byRules: plan.num_by_rules });
  const spec = judgingSpec(work);
  const content = sha256Hex(canonicalJson([judging, ...judgements]));
  const ref = await store.build(
    { ...spec, parameters: { ...spec.parameters, content } },
    async (directory) => {
      await writeFile(join(directory, 'judging.json'), `${canonicalJson(judging)}\n`);
      for (const { name, text } of filesOf(inputs)) await writeFile(join(directory, name), text);
      return await writeLines(join(directory, 'judgements.jsonl'), judgements);
    },
  );
  return { ref, judging };
}

function filesOf({ answers, judgements }: ScorerInputs) {
  return answers === null ? judgements : [answers, ...judgements];
}

interface Summarized {
  readonly judge: Judge;
  readonly judgements: readonly Judgement[];
  readonly inputs: ScorerInputs;
  readonly byRules: number;
}

function summaryOf(
  { benchmark, num_runs, official_failures }: JudgedBenchmarkWork,
  { judge, judgements, inputs, byRules }: Summarized,
): Judging {
  const missing = judgements.flatMap((judgement) => judgement.missing ?? []);
  const missing_by_reason: Judging['missing_by_reason'] = {};
  for (const reason of missing) missing_by_reason[reason] = (missing_by_reason[reason] ?? 0) + 1;
  const tokens = (field: 'prompt_tokens' | 'completion_tokens'): number =>
    judgements.reduce((sum, judgement) => sum + (judgement[field] ?? 0), 0);
  return {
    schema_version: 1,
    benchmark,
    judge: identityOf(judge, judgements),
    num_runs,
    official_failures,
    counts: {
      items: judgements.length,
      judged: judgements.length - missing.length,
      missing: missing.length,
      by_rules: byRules,
      answers_cut: judgements.filter(({ answer_cut }) => answer_cut).length,
    },
    missing_by_reason,
    prompt_tokens: tokens('prompt_tokens'),
    completion_tokens: tokens('completion_tokens'),
    partial: missing.length > 0,
    scorer_files: {
      answers: inputs.answers?.name ?? null,
      judgements: inputs.judgements.map(({ name }) => name),
    },
  };
}

/** `gpt-4 = gpt-4-0613 (at localhost:8000, fenced prompt)` */
function identityOf({ identity, remarks }: Judge, judgements: readonly Judgement[]): JudgeIdentity {
  const served = judgements.flatMap(({ served_model }) => served_model ?? []);
  const served_models = [...new Set(served)].sort();
  const asked = identity.model ?? 'no judge';
  const others = served_models.filter((name) => name !== asked);
  const names = others.length === 0 ? asked : `${asked} = ${served_models.join(' and ')}`;
  const label = remarks.length === 0 ? names : `${names} (${remarks.join(', ')})`;
  return { ...identity, served_models, label: label.slice(0, 400) };
}
