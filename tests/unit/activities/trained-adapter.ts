/** What the claims about trainings share: pairs to train on, and what the fake process was told. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import type { ExperimentConfigInput } from '../../../contract/config.ts';
import type { Policy } from '../../../contract/status.ts';
import type { GpuWorkspace } from './gpu-workspace.ts';

interface Subject {
  readonly config: ArtifactRef;
  readonly round: number;
  readonly policy: Policy;
  readonly preference_pairs: ArtifactRef;
}

/** Three pairs whose images lie in an images artifact. */
export async function pairsOf(
  { activities, artifact, config }: GpuWorkspace,
  knobs: Partial<ExperimentConfigInput> = {},
): Promise<Subject> {
  const ref = await config(knobs);
  const { model } = await activities.resolveModel({ config: ref });
  const images = await artifact('images', 'images.jsonl', [{ image: 1 }]);
  const preference_pairs = await artifact('preference_pairs', 'pairs.jsonl', [1, 2, 3], [images]);
  return { config: ref, round: 1, policy: { model, adapter: null }, preference_pairs };
}

/** Two infused examples whose images lie in an instructions artifact. */
export async function examplesOf({ artifact }: GpuWorkspace): Promise<ArtifactRef> {
  const instructions = await artifact('instructions', 'instructions.jsonl', [{ image: 1 }]);
  return await artifact('infused_examples', 'examples.jsonl', [1, 2], [instructions]);
}

/** What the fake process was told to train with. */
export async function madeFrom({ deps }: GpuWorkspace, adapter: ArtifactRef): Promise<unknown> {
  const path = join(deps.store.directory(adapter), 'training.json');
  const Facts = z.object({ made_from: z.json() });
  return Facts.parse(JSON.parse(await readFile(path, 'utf8'))).made_from;
}
