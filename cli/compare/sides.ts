/** The two sides of a comparison: what a policy of a run was scored with, read out of the workspace. */

import type { ArtifactRef } from '../../contract/artifact.ts';
import { ScoredItem, Scores } from '../../contract/measures.ts';
import { QuestionRecord } from '../../contract/records.ts';
import type { EvaluatedPolicy } from '../../contract/status.ts';
import { readManifest } from '../../store/manifest.ts';
import type { Store } from '../../store/store.ts';
import { notScored } from '../policy-errors.ts';
import type { FoundPolicy } from '../policy-spec.ts';

/** One set of one side. */
export interface ScoredSet {
  readonly scores: Scores;
  readonly items: readonly ScoredItem[];
  /** Artifact with questions and images. */
  readonly evaluationSet: ArtifactRef;
  readonly questions: ReadonlyMap<string, QuestionRecord>;
}

export interface Side {
  /** As it was named. */
  readonly name: string;
  readonly policy: EvaluatedPolicy;
  readonly round: number;
  readonly sets: ReadonlyMap<string, ScoredSet>;
}

/** @throws CliError when the policy was scored on nothing */
export async function readSide(
  store: Store,
  name: string,
  { round, name: policy }: FoundPolicy,
): Promise<Side> {
  const scored = round.scores.filter((each) => each.policy === policy);
  if (scored.length === 0) {
    const others = [...new Set(round.scores.map((each) => each.policy))];
    throw notScored(name, policy, others);
  }
  const sets = new Map<string, ScoredSet>();
  for (const { set, scores } of scored) sets.set(set, await readSet(store, scores));
  return { name, policy, round: round.round, sets };
}

async function readSet(store: Store, ref: ArtifactRef): Promise<ScoredSet> {
  const scores = await store.readJson(ref, 'scores.json', Scores);
  const items: ScoredItem[] = [];
  for await (const item of store.readLines(ref, 'items.jsonl', ScoredItem)) items.push(item);
  const evaluationSet = readManifest(store.directory(ref))?.inputs.find(
    ({ kind }) => kind === 'evaluation_set',
  );
  if (evaluationSet === undefined) throw new Error(`scores/${ref.key} name no evaluation set`);
  const questions = new Map<string, QuestionRecord>();
  for await (const question of store.readLines(evaluationSet, 'questions.jsonl', QuestionRecord)) {
    questions.set(question.question_id, question);
  }
  return { scores, items, evaluationSet, questions };
}
