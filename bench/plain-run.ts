/**
 * The stages of a run as a plain program: the same activities in the order of `workflows/round.ts`, awaited one
 * after the other in one process, without Temporal. What a script without durability would do.
 */
import { z } from 'zod';
import { createCpuActivities, createGpuActivities } from '../activities/index.ts';
import { ModelProcesses } from '../activities/model-process.ts';
import type { ShardSet } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { EvaluatedPolicy, Policy } from '../contract/status.ts';
import { openStore, type Store } from '../store/store.ts';
import { adapterWeights } from './durable-run.ts';

export interface PlainRun {
  readonly seconds: number;
  /** Of these, spent in hashing, syncing and renaming what the model had made. */
  readonly publishing_seconds: number;
  readonly adapterWeights: string[];
}

/** Runs all rounds of a config in a workspace. */
export async function plainRun(config: ExperimentConfig, workspace: string): Promise<PlainRun> {
  const modelProcesses = new ModelProcesses({ workspace });
  const clock = { publishing: 0 };
  const deps = { workspace, store: timedStore(openStore(workspace), clock), modelProcesses };
  const started = performance.now();
  try {
    const cpu = createCpuActivities(deps);
    const gpu = createGpuActivities(deps);
    const prepared = await cpu.prepareRun({ config: z.json().parse(config) });
    const { model } = await cpu.resolveModel({ config: prepared.config });
    const { images } = await cpu.ingestImages({ config: prepared.config });
    const steps = new Steps(cpu, gpu, prepared, images);
    let policy: Policy = { model, adapter: null };
    for (let round = 1; round <= prepared.plan.rounds; round += 1) {
      policy = await steps.round(round, policy);
    }
  } finally {
    await modelProcesses.close();
  }
  return {
    seconds: (performance.now() - started) / 1000,
    publishing_seconds: clock.publishing / 1000,
    adapterWeights: adapterWeights(workspace),
  };
}

type Cpu = ReturnType<typeof createCpuActivities>;
type Gpu = ReturnType<typeof createGpuActivities>;

class Steps {
  readonly #cpu: Cpu;
  readonly #gpu: Gpu;
  readonly #prepared: Awaited<ReturnType<Cpu['prepareRun']>>;
  readonly #images: ArtifactRef;

  constructor(
    cpu: Cpu,
    gpu: Gpu,
    prepared: Awaited<ReturnType<Cpu['prepareRun']>>,
    images: ArtifactRef,
  ) {
    this.#cpu = cpu;
    this.#gpu = gpu;
    this.#prepared = prepared;
    this.#images = images;
  }

  async round(round: number, start: Policy): Promise<Policy> {
    const { config, plan } = this.#prepared;
    let policy = start;
    await this.#evaluate(round, 'base', policy);
    if (plan.training_stages.includes('preference_training')) {
      const all = this.#images.num_records;
      const num_items = Math.min(plan.images_per_round ?? all, all);
      const shards = await this.#generate({
        task: 'preference',
        round,
        policy,
        source: this.#images,
        num_items,
      });
      const { preference_pairs } = await this.#cpu.collectPreferencePairs({ shards });
      const { adapter } = await this.#gpu.trainPreference({
        config,
        round,
        policy,
        preference_pairs,
      });
      policy = { ...policy, adapter };
      await this.#evaluate(round, 'preference_training', policy);
    }
    if (plan.training_stages.includes('infused_training')) {
      const { instructions } = await this.#cpu.selectInstructions({ config, round });
      const num_items = instructions.num_records;
      const shards = plan.describes_instructions
        ? await this.#generate({
            task: 'descriptions',
            round,
            policy,
            source: instructions,
            num_items,
          })
        : null;
      const { infused_examples } = await this.#cpu.collectInfusedExamples({
        config,
        round,
        policy,
        instructions,
        shards,
      });
      const { adapter } = await this.#gpu.trainInfused({ config, round, policy, infused_examples });
      policy = { ...policy, adapter };
      await this.#evaluate(round, 'infused_training', policy);
    }
    return policy;
  }

  async #evaluate(round: number, as: EvaluatedPolicy, policy: Policy): Promise<void> {
    const { config, plan } = this.#prepared;
    if (!plan.evaluated_policies.includes(as)) return;
    for (const set of plan.evaluation_sets) {
      const { evaluation_set: source, counts } = await this.#cpu.prepareEvaluationSet({
        config,
        set,
      });
      const num_items = counts['images'] ?? source.num_records;
      const answers = await this.#generate({ task: 'answers', round, policy, source, num_items });
      const dar_answers = plan.answers_dar
        ? await this.#generate({ task: 'dar_answers', round, policy, source, num_items })
        : null;
      await this.#cpu.scoreAnswers({
        set,
        answers,
        dar_answers,
        training_images: [this.#images],
      });
    }
  }

  async #generate(what: Omit<ShardSet, 'config' | 'num_shards'>): Promise<ShardSet> {
    const { config, plan } = this.#prepared;
    const num_shards = Math.ceil(what.num_items / plan.shard_size);
    const shards: ShardSet = { ...what, config, num_shards };
    for (let shard = 0; shard < num_shards; shard += 1) {
      const { requests } = await this.#cpu.prepareShard({ shards, shard });
      await this.#gpu.generateShard({ shards, requests });
    }
    return shards;
  }
}

/** The store, with a clock on what only durability needs. */
function timedStore(store: Store, clock: { publishing: number }): Store {
  return new Proxy(store, {
    get: (real, name) => {
      const member: unknown = Reflect.get(real, name);
      if (typeof member !== 'function') return member;
      if (name !== 'publish') return member.bind(real) as unknown;
      return async (...args: unknown[]): Promise<unknown> => {
        const started = performance.now();
        try {
          return (await Reflect.apply(member, real, args)) as unknown;
        } finally {
          clock.publishing += performance.now() - started;
        }
      };
    },
  });
}
