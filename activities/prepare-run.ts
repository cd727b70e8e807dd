/** `prepareRun`: from what a person sent to a checked config, its run id and the plan of control flow. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Activities, PrepareRunInput } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import { ExperimentConfig } from '../contract/config.ts';
import { QUESTION_STRATEGIES } from '../contract/config-strategies.ts';
import { Prompts } from '../contract/prompts.ts';
import { RunConfig } from '../contract/run-config.ts';
import type { RunPlan } from '../contract/run-plan.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { runDir } from '../store/layout.ts';
import { runIdOf } from '../store/run-id.ts';
import { resolveSource } from '../store/sources.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { writeWholeFile } from './whole-file.ts';

const STAGE_VERSION = 1;

export function prepareRunActivities(deps: ActivityDependencies): Pick<Activities, 'prepareRun'> {
  return {
    async prepareRun(input) {
      const config = checked(PrepareRunInput.parse(input).config);
      const prompts = await readPrompts(deps.workspace, config.prompts);
      const content = canonicalJson({ config, prompts } satisfies RunConfig);
      const run_id = runIdOf(config);
      const spec = {
        kind: 'config' as const,
        inputs: [],
        parameters: { content: sha256Hex(content) },
        version: STAGE_VERSION,
      };
      const ref = await deps.store.build(spec, async (directory) => {
        await writeFile(join(directory, 'config.json'), `${content}\n`);
        return 0;
      });
      const file = join(runDir(deps.workspace, run_id), 'config.json');
      await writeWholeFile(file, `${JSON.stringify({ config, prompts }, null, 2)}\n`);
      return { run_id, config: ref, plan: planOf(config) };
    },
  };
}

/** The config and prompts of a run. */
export async function readRunConfig(store: Store, ref: ArtifactRef): Promise<RunConfig> {
  return await store.readJson(ref, 'config.json', RunConfig);
}

function checked(raw: unknown): ExperimentConfig {
  const parsed = ExperimentConfig.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new SticflowError(
    'ConfigInvalid',
    `The config of this run is not valid:\n${z.prettifyError(parsed.error)}\nMend it and start again; \`sticflow run\` tells the line of each mistake.`,
  );
}

async function readPrompts(
  workspace: string,
  source: ExperimentConfig['prompts'],
): Promise<Prompts> {
  const path = await resolveSource(workspace, source);
  const parsed = Prompts.safeParse(parse(await readFile(path, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new SticflowError(
    'ConfigInvalid',
    `Expected a prompt file as config/prompts/stic.yaml at prompts (${source}), got:\n${z.prettifyError(parsed.error)}`,
  );
}

function planOf(config: ExperimentConfig): RunPlan {
  const { evaluation, decision, generation, infusion } = config;
  const sets = evaluation.sets.map(({ name }) => name);
  const wanted = evaluation.describe_and_respond;
  return {
    rounds: config.rounds,
    model_label: config.model.source.slice(0, 120),
    training_stages: config.training_stages,
    infusion: infusion !== null && config.training_stages.includes('infused_training'),
    describes_instructions: infusion?.describe === 'policy',
    images_per_round: config.preference.images_per_round,
    ...(QUESTION_STRATEGIES.includes(config.strategy) ? { pairs_from: 'instructions' } : {}),
    ...(config.strategy === 'single-stage' ? { single_stage: true as const } : {}),
    ...(evaluation.judge?.kind === 'policy' ? { judge_model: true as const } : {}),
    shard_size: generation.shard_size,
    max_parallel_shards: generation.max_parallel_shards,
    evaluation_sets: sets,
    evaluated_policies: evaluation.policies,
    answers_direct: wanted !== 'on',
    answers_dar: wanted !== 'off',
    decision_set: decision.set ?? sets[0] ?? null,
    decision_measure: decision.measure,
    stop_without_gain: decision.stop_without_gain,
  };
}
