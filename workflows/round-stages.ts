/** The stages of one round as verbs, so that `round.ts` can read like the paper. */

import type { Activities } from '../contract/activities.ts';
import type { Stage } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { Policy } from '../contract/status.ts';
import { fanOut, shardSet } from './fan-out.ts';
import { invalid } from './input.ts';
import { bookkeeping, data, training } from './proxies.ts';
import type { RoundContext } from './round-context.ts';
import { describeCounts } from './stage-table.ts';

type Result = Parameters<Activities['publishRound']>[0]['result'];
type Counts = Readonly<Record<string, number>>;

/** Each verb is one stage: it reports its progress and files what it made for the round's result. */
export class RoundStages {
  readonly #context: RoundContext;
  readonly #artifacts: Record<string, ArtifactRef>;
  readonly #counts: Record<string, number> = {};

  constructor(context: RoundContext) {
    this.#context = context;
    const { images } = context.input;
    this.#artifacts = images === null ? {} : { images };
  }

  /** Chosen and rejected texts about the round's images or instructions, written by `policy`. */
  async preferencePairs(policy: Policy): Promise<ArtifactRef> {
    this.#context.stages.begin('preference');
    const shards = shardSet(this.#context, {
      task: 'preference',
      policy,
      ...(this.#context.input.plan.pairs_from === 'instructions'
        ? await this.#instructionsToPair()
        : this.#imagesToPair()),
    });
    await fanOut(this.#context, {
      stage: 'preference',
      name: 'preference',
      shards,
      onDone: this.#shardsDone('preference', shards.num_shards),
    });
    const { preference_pairs, counts } = await this.#context.gate.pass(() =>
      data.collectPreferencePairs.executeWithOptions(this.#summary('preference · collect'), [
        { shards },
      ]),
    );
    this.#finish('preference', { preference_pairs }, counts);
    return preference_pairs;
  }

  /**
   * The strategy's loss on the pairs; the reference is `policy`, which wrote them.
   *
   * @param examples - Infused examples that are learnt beside them.
   */
  async preferenceTraining(
    policy: Policy,
    pairs: ArtifactRef,
    examples?: ArtifactRef,
  ): Promise<Policy> {
    const { config, round } = this.#context.input;
    const { adapter, summary } = await this.#context.gate.pass(() => {
      this.#context.stages.begin('preference_training');
      return training.trainPreference.executeWithOptions(this.#summary('preference training'), [
        {
          config,
          round,
          policy,
          preference_pairs: pairs,
          ...(examples === undefined ? {} : { infused_examples: examples }),
        },
      ]);
    });
    this.#finish('preference_training', { adapter_preference_training: adapter }, summary);
    return { ...policy, adapter };
  }

  /** The instruction subset, each example with the description that `policy` gives its image. */
  async infusedExamples(policy: Policy): Promise<ArtifactRef> {
    const { config, round, plan } = this.#context.input;
    this.#context.stages.begin('infusion');
    const { instructions } = await this.#context.gate.pass(() =>
      data.selectInstructions.executeWithOptions(this.#summary('infusion · instructions'), [
        { config, round },
      ]),
    );
    const shards = plan.describes_instructions ? await this.#describe(policy, instructions) : null;
    const { infused_examples, counts } = await this.#context.gate.pass(() =>
      data.collectInfusedExamples.executeWithOptions(this.#summary('infusion · collect'), [
        { config, round, policy, instructions, shards },
      ]),
    );
    this.#finish('infusion', { instructions, infused_examples }, counts);
    return infused_examples;
  }

  /** Supervised fine-tuning on the infused examples; continues the adapter of `policy`. */
  async infusedTraining(policy: Policy, examples: ArtifactRef): Promise<Policy> {
    const { config, round } = this.#context.input;
    const { adapter, summary } = await this.#context.gate.pass(() => {
      this.#context.stages.begin('infused_training');
      return training.trainInfused.executeWithOptions(this.#summary('infused training'), [
        { config, round, policy, infused_examples: examples },
      ]);
    });
    this.#finish('infused_training', { adapter_infused_training: adapter }, summary);
    return { ...policy, adapter };
  }

  /** Writes `round_result.json`, the link of the chain that a run carries. */
  async publish(
    outcome: Pick<Result, 'end_policy' | 'scores' | 'comparisons' | 'decision'>,
  ): Promise<ArtifactRef> {
    const { config, round, policy, previous } = this.#context.input;
    const result: Result = {
      schema_version: 1,
      round,
      start_policy: policy,
      artifacts: this.#artifacts,
      counts: this.#counts,
      previous,
      ...outcome,
    };
    const { round_result } = await this.#context.gate.pass(() =>
      bookkeeping.publishRound.executeWithOptions(this.#summary('publish'), [{ config, result }]),
    );
    return round_result;
  }

  #imagesToPair() {
    const { images, plan } = this.#context.input;
    if (images === null) throw invalid('preference_training needs the images of a run.');
    const num_items = Math.min(plan.images_per_round ?? images.num_records, images.num_records);
    return { source: images, num_items };
  }

  async #instructionsToPair() {
    const { config, round } = this.#context.input;
    const { instructions } = await this.#context.gate.pass(() =>
      data.selectInstructions.executeWithOptions(this.#summary('preference · instructions'), [
        { config, round },
      ]),
    );
    return { source: instructions, num_items: instructions.num_records };
  }

  async #describe(policy: Policy, instructions: ArtifactRef) {
    const num_items = instructions.num_records;
    const shards = shardSet(this.#context, {
      task: 'descriptions',
      policy,
      source: instructions,
      num_items,
    });
    await fanOut(this.#context, {
      stage: 'infusion',
      name: 'descriptions',
      shards,
      onDone: this.#shardsDone('infusion', shards.num_shards),
    });
    return shards;
  }

  #shardsDone(stage: Stage, total: number): (done: number) => void {
    this.#context.stages.advance(stage, { done: 0, total });
    return (done) => {
      this.#context.stages.advance(stage, { done, total });
    };
  }

  #finish(stage: Stage, artifacts: Record<string, ArtifactRef>, counts: Counts): void {
    Object.assign(this.#artifacts, artifacts);
    for (const [name, value] of Object.entries(counts)) this.#counts[`${stage}/${name}`] = value;
    this.#context.stages.end(stage, describeCounts(counts));
  }

  #summary(what: string): { summary: string } {
    return { summary: `round ${String(this.#context.input.round)} · ${what}` };
  }
}
