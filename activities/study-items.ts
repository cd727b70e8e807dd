/** The scored items of a study's runs, found from the results of their rounds. */
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ScoredItem } from '../contract/measures.ts';
import { type EvaluatedPolicy, RoundResult } from '../contract/status.ts';
import type { StudyPlan, StudyRunOutcome } from '../contract/study.ts';
import { SticflowError } from '../store/errors.ts';
import type { Store } from '../store/store.ts';
import { readItems } from './scoring.ts';

interface Wanted {
  readonly arm: string;
  readonly round: number;
  readonly policy: EvaluatedPolicy;
  readonly set: string;
}

/** The rounds of every run that was completed. */
export class StudyItems {
  readonly #store: Store;
  readonly #runs: readonly { arm: string; seed: number; rounds: readonly RoundResult[] }[];
  /** Last results of the runs: what the study is made from. */
  readonly results: readonly ArtifactRef[];

  private constructor(
    store: Store,
    runs: readonly { arm: string; seed: number; rounds: readonly RoundResult[] }[],
    results: readonly ArtifactRef[],
  ) {
    this.#store = store;
    this.#runs = runs;
    this.results = results;
  }

  /** @throws SticflowError `ArtifactMissing` when the result of a completed run is gone */
  static async read(
    store: Store,
    { runs: planned }: StudyPlan,
    outcomes: readonly StudyRunOutcome[],
  ): Promise<StudyItems> {
    const results: ArtifactRef[] = [];
    const runs = [];
    for (const [index, { arm, seed }] of planned.entries()) {
      const key = outcomes[index]?.last_result ?? null;
      if (key === null) continue;
      const ref = await store.find('round_result', key);
      if (ref === null) throw gone(key);
      results.push(ref);
      runs.push({ arm, seed, rounds: await roundsUpTo(store, ref) });
    }
    return new StudyItems(store, runs, results);
  }

  /** By seed; seeds whose run did not come so far are left out. */
  async of({ arm, round, policy, set }: Wanted): Promise<Map<number, ScoredItem[]>> {
    const bySeed = new Map<number, ScoredItem[]>();
    for (const run of this.#runs) {
      if (run.arm !== arm) continue;
      const result = run.rounds.find((one) => one.round === round);
      const scored = result?.scores.find((one) => one.set === set && one.policy === policy);
      if (scored !== undefined) bySeed.set(run.seed, await readItems(this.#store, scored.scores));
    }
    return bySeed;
  }
}

async function roundsUpTo(store: Store, last: ArtifactRef): Promise<RoundResult[]> {
  const rounds: RoundResult[] = [];
  for (let ref: ArtifactRef | null = last; ref !== null; ) {
    const result: RoundResult = await store.readJson(ref, 'round_result.json', RoundResult);
    rounds.unshift(result);
    ref = result.previous;
  }
  return rounds;
}

function gone(key: string): SticflowError {
  return new SticflowError(
    'ArtifactMissing',
    `Expected round_result/${key} in this workspace, it is not there. Workers of one study must share one workspace.`,
  );
}
