/** A workspace with what GPU activities start from: config, model, images, requests, pairs. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { translateErrors } from '../../../activities/errors.ts';
import { generationActivities } from '../../../activities/generation.ts';
import { modelActivities } from '../../../activities/model.ts';
import { trainingActivities } from '../../../activities/training.ts';
import type { Activities, GpuActivities, ShardSet } from '../../../contract/activities.ts';
import type { ArtifactKind, ArtifactRef } from '../../../contract/artifact.ts';
import { ExperimentConfig, type ExperimentConfigInput } from '../../../contract/config.ts';
import type { RunConfig } from '../../../contract/run-config.ts';
import type { Policy } from '../../../contract/status.ts';
import { canonicalJson } from '../../../store/canonical.ts';
import { writeLines } from '../../../store/lines.ts';
import { registerSource } from '../../../store/sources.ts';
import { openStore } from '../../../store/store.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import { type Fake, type Faults, fakeModelProcesses } from './fake-model-process.ts';

const PROMPTS: RunConfig['prompts'] = {
  well_crafted: { id: 'w', text: 'Describe step by step.' },
  normal: { id: 'n', items: ['Describe.'] },
  bad: { id: 'b', items: ['Imagine.'] },
  infusion_template: { id: 'i', template: '{description} {instruction}' },
  describe_and_respond: {
    id: 'd',
    description_prompt: 'Describe.',
    question_template: '{description} {question}',
  },
};

export interface GpuWorkspace extends Fake {
  readonly workspace: string;
  /** Folder of the checkpoint. */
  readonly modelFolder: string;
  readonly deps: ActivityDependencies;
  readonly activities: GpuActivities & Pick<Activities, 'resolveModel'>;
  /** A config artifact, of the usual config but for these knobs. */
  readonly config: (knobs?: Partial<ExperimentConfigInput>) => Promise<ArtifactRef>;
  /** An artifact of one JSONL file. */
  readonly artifact: (
    kind: ArtifactKind,
    file: string,
    lines: readonly unknown[],
    inputs?: readonly ArtifactRef[],
  ) => Promise<ArtifactRef>;
}

export async function gpuWorkspace(faults: Faults = []): Promise<GpuWorkspace> {
  const workspace = await temporaryDirectory();
  const modelFolder = await checkpoint(join(workspace, 'checkpoint'));
  const source = await registerSource(workspace, modelFolder);
  const fake = fakeModelProcesses(workspace, faults);
  const store = openStore(workspace);
  const deps = { workspace, store, modelProcesses: fake.processes };
  return {
    ...fake,
    workspace,
    modelFolder,
    deps,
    activities: translateErrors({
      ...modelActivities(deps),
      ...generationActivities(deps),
      ...trainingActivities(deps),
    }),
    config: async (knobs = {}) => {
      const config = ExperimentConfig.parse({
        name: 'test',
        model: { source, dtype: 'float32', device: 'cpu', num_threads: 1 },
        images: { source },
        training_stages: ['preference_training'],
        ...knobs,
      });
      const content = canonicalJson({ config, prompts: PROMPTS });
      return await store.build(
        { kind: 'config', inputs: [], parameters: { content }, version: 1 },
        async (directory) => {
          await writeFile(join(directory, 'config.json'), content);
          return 0;
        },
      );
    },
    artifact: async (kind, file, lines, inputs = []) =>
      await store.build(
        { kind, inputs, parameters: { file, lines: canonicalJson(lines) }, version: 1 },
        async (directory) => await writeLines(join(directory, file), lines),
      ),
  };
}

/** A shard of `numItems` requests, ready for `generateShard`. */
export async function shardOf(
  { activities, artifact, config }: GpuWorkspace,
  numItems = 3,
  knobs: Partial<ExperimentConfigInput> = {},
): Promise<{ shards: ShardSet; requests: ArtifactRef; policy: Policy }> {
  const ref = await config(knobs);
  const { model } = await activities.resolveModel({ config: ref });
  const policy = { model, adapter: null };
  const images = await artifact('images', 'images.jsonl', [{ image: 1 }]);
  const lines = Array.from({ length: numItems }, (_, item) => ({
    request_id: `${item}`,
    prompt: `question ${item}`,
  }));
  const requests = await artifact('generation_requests', 'requests.jsonl', lines, [images]);
  const shards = {
    task: 'preference' as const,
    config: ref,
    round: 1,
    policy,
    source: images,
    num_items: numItems,
    num_shards: 1,
  };
  return { shards, requests, policy };
}

async function checkpoint(folder: string): Promise<string> {
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), '{"architectures":["FakeForTests"]}');
  await writeFile(join(folder, 'model.safetensors'), 'weights');
  await writeFile(join(folder, 'tokenizer.json'), '{"added_tokens":[]}');
  await writeFile(join(folder, 'README.md'), 'not a part of the model');
  return folder;
}
