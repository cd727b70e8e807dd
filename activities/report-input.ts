/** What the report is made from, read out of the store; bounded at any size of run. */
import { arch, availableParallelism, cpus, platform, release } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { changesOf, deltasOf, testsOf } from '../benchmarks/measures.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import { Comparison, type ScoredItem, Scores } from '../contract/measures.ts';
import {
  DroppedPair,
  DuplicateRecord,
  PreferencePair,
  QuarantineRecord,
} from '../contract/records.ts';
import type { RunConfig } from '../contract/run-config.ts';
import { RoundResult, type RunStatus } from '../contract/status.ts';
import {
  type ItemChange,
  REPORT_LIMITS,
  type ReportInput,
  type ReportRound,
} from '../report/input.ts';
import type { Store } from '../store/store.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { readRunConfig } from './prepare-run.ts';
import { inputsOf, lineageOf } from './report-lineage.ts';
import { trainingsOf } from './report-training.ts';
import { bootstrap, readItems } from './scoring.ts';
import { thumbnail } from './thumbnail.ts';

/** The input of `renderReport` for a run in any state. */
export async function reportInput(
  { store }: ActivityDependencies,
  status: RunStatus,
): Promise<ReportInput> {
  const run = status.config === null ? null : await readRunConfig(store, status.config);
  const results = await chain(store, status.last_result);
  const rounds = await Promise.all(results.map(async (result) => await roundOf(store, result)));
  const images = results.at(-1)?.artifacts['images'] ?? null;
  const quarantine =
    images === null
      ? []
      : await collected(store.readLines(images, 'quarantine.jsonl', QuarantineRecord));
  const duplicates =
    images === null
      ? []
      : await collected(store.readLines(images, 'duplicates.jsonl', DuplicateRecord));
  return {
    status,
    written_at: new Date().toISOString(),
    config: run?.config ?? null,
    prompts: run?.prompts ?? null,
    rounds,
    overall: run === null ? null : await overall(store, run, results),
    quarantine: quarantine.slice(0, REPORT_LIMITS.quarantine),
    num_quarantined: quarantine.length,
    duplicates: duplicates.slice(0, REPORT_LIMITS.duplicates),
    num_duplicates: duplicates.length,
    lineage: lineageOf(store, status.last_result),
    environment: await environment(store, run, results),
  };
}

/** All finished rounds, the first one first. */
async function chain(store: Store, last: ArtifactRef | null): Promise<RoundResult[]> {
  const results: RoundResult[] = [];
  for (let ref = last; ref !== null; ) {
    const result = await store.readJson(ref, 'round_result.json', RoundResult);
    results.unshift(result);
    ref = result.previous;
  }
  return results;
}

async function roundOf(store: Store, result: RoundResult): Promise<ReportRound> {
  const scores = await Promise.all(
    result.scores.map(async ({ set, policy, scores: ref }) => ({
      set,
      policy,
      scores: await store.readJson(ref, 'scores.json', Scores),
    })),
  );
  const comparisons = await Promise.all(
    result.comparisons.map(async ({ set, from, to, comparison }) => ({
      set,
      from,
      to,
      comparison: await store.readJson(comparison, 'comparison.json', Comparison),
    })),
  );
  const pairs = result.artifacts['preference_pairs'];
  return {
    round: result.round,
    result,
    scores,
    comparisons,
    ...(await trainingsOf(store, result)),
    pairs: pairs === undefined ? [] : await pairSamples(store, result, pairs),
    num_pairs: pairs?.num_records ?? 0,
    dropped: pairs === undefined ? {} : await droppedByReason(store, pairs),
    item_changes: await changes(store, result),
  };
}

async function droppedByReason(store: Store, pairs: ArtifactRef): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for await (const { reason } of store.readLines(pairs, 'dropped.jsonl', DroppedPair)) {
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

/** Pairs spread evenly over the round. */
async function pairSamples(
  store: Store,
  { artifacts }: RoundResult,
  ref: ArtifactRef,
): Promise<ReportRound['pairs']> {
  const every = Math.max(1, Math.ceil(ref.num_records / REPORT_LIMITS.pairs_per_round));
  const picked: PreferencePair[] = [];
  let place = 0;
  for await (const pair of store.readLines(ref, 'pairs.jsonl', PreferencePair)) {
    if (place % every === 0) picked.push(pair);
    place += 1;
  }
  // Pairs about questions lie with the images of their instructions.
  const images =
    inputsOf(store, ref).find(({ kind }) => kind === 'instructions') ?? artifacts['images'];
  // Corrupted images lie beside the requests that named them.
  const requests = inputsOf(store, ref).filter(({ kind }) => kind === 'generation_requests');
  return await Promise.all(
    picked.map(async (pair) => ({
      pair,
      image_data_uri: await imageUri(
        store,
        images === undefined ? [] : [images],
        pair.images[0]?.file,
      ),
      corrupted_image_data_uri: await imageUri(
        store,
        requests,
        pair.provenance.corrupted_image?.file,
      ),
    })),
  );
}

async function imageUri(
  store: Store,
  folders: readonly ArtifactRef[],
  file: string | undefined,
): Promise<string | null> {
  if (file === undefined) return null;
  for (const folder of folders) {
    const uri = await thumbnail(join(store.directory(folder), file));
    if (uri !== null) return uri;
  }
  return null;
}

async function changes(store: Store, result: RoundResult): Promise<ReportRound['item_changes']> {
  const last = result.comparisons.at(-1);
  if (last === undefined) return null;
  const scoresOf = (policy: string): ArtifactRef | undefined =>
    result.scores.find((scored) => scored.set === last.set && scored.policy === policy)?.scores;
  const [from, to] = [scoresOf(last.from), scoresOf(last.to)];
  if (from === undefined || to === undefined) return null;
  const before = new Map((await readItems(store, from)).map((item) => [item.item_id, item]));
  const fixed: ItemChange[] = [];
  const broken: ItemChange[] = [];
  const sets = inputsOf(store, to).filter(({ kind }) => kind === 'evaluation_set');
  for (const after of await readItems(store, to)) {
    const earlier = before.get(after.item_id);
    if (after.type !== 'answer' || earlier?.type !== 'answer') continue;
    if (after.score === null || earlier.score === null || earlier.score === after.score) continue;
    const list = after.score > earlier.score ? fixed : broken;
    if (list.length < REPORT_LIMITS.item_changes_each) {
      list.push(await changeOf(store, sets, last.set, [earlier, after]));
    }
  }
  return { from: last.from, to: last.to, fixed, broken };
}

type Answer = Extract<ScoredItem, { type: 'answer' }>;

async function changeOf(
  store: Store,
  sets: readonly ArtifactRef[],
  set: string,
  [before, after]: readonly [before: Answer, after: Answer],
): Promise<ItemChange> {
  const { mode, question, question_type, expected, image_id } = after;
  return {
    set,
    mode,
    question,
    question_type,
    expected,
    before: before.text,
    after: after.text,
    image_data_uri: image_id === null ? null : await imageUri(store, sets, `files/${image_id}.png`),
  };
}

/**
 * Paired over the whole run: the policy it ends with against the one it began with, on the deciding set. A last round
 * whose policy was not kept ends where it started.
 */
async function overall(
  store: Store,
  { config }: RunConfig,
  results: readonly RoundResult[],
): Promise<ReportInput['overall']> {
  const set = config.decision.set ?? config.evaluation.sets[0]?.name;
  const first = results.at(0)?.scores.find((scored) => scored.set === set);
  const last = endOf(results.at(-1), set);
  if (set === undefined || first?.policy !== 'base' || last === undefined) return null;
  // A run that kept nothing, or has measured nothing else, has changed nothing.
  if (last.scores.key === first.scores.key) return null;
  const [before, after] = [
    await readItems(store, first.scores),
    await readItems(store, last.scores),
  ];
  const { benchmark } = await store.readJson(last.scores, 'scores.json', Scores);
  const options = { ...bootstrap(config, set), benchmark };
  const comparison = {
    set,
    deltas: deltasOf(before, after, options),
    tests: testsOf(before, after, options),
    ...changesOf(before, after, config.decision.measure),
  };
  return { set, from: first.policy, to: last.policy, comparison };
}

function endOf(
  result: RoundResult | undefined,
  set: string | undefined,
): RoundResult['scores'][number] | undefined {
  const ofSet = result?.scores.filter((scored) => scored.set === set);
  const isKept = result?.end_policy.adapter?.key === result?.start_policy.adapter?.key;
  return isKept ? ofSet?.find(({ policy }) => policy === 'base') : ofSet?.at(-1);
}

const TrainingFacts = z.object({ versions: z.record(z.string(), z.string()) });

/** Versions of the libraries that made the last adapter: the model process wrote them beside it. */
async function environment(
  store: Store,
  run: RunConfig | null,
  results: readonly RoundResult[],
): Promise<ReportInput['environment']> {
  const adapters = results.flatMap(({ artifacts }) =>
    Object.values(artifacts).filter(({ kind }) => kind === 'adapter'),
  );
  const adapter = adapters.at(-1);
  const facts =
    adapter === undefined ? null : await store.readJson(adapter, 'training.json', TrainingFacts);
  return {
    versions: { node: process.versions.node, ...facts?.versions },
    machine: `${cpus()[0]?.model ?? arch()} · ${String(availableParallelism())} cores`,
    platform: `${platform()} ${release()}`,
    num_threads: run === null ? null : (run.config.model.num_threads ?? availableParallelism()),
  };
}
