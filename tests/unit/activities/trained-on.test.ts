// Pictures that a policy was trained on, in either stage and in any round, are found by its lineage.
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { imagesActivities } from '../../../activities/images.ts';
import { instructionsActivities } from '../../../activities/instructions.ts';
import type { ArtifactKind, ArtifactRef } from '../../../contract/artifact.ts';
import { registerSource } from '../../../store/sources.ts';
import { preparedBenchmark, scored } from './evaluated.ts';
import { folderOfImages, prepared, temporaryFolder } from './run-workspace.ts';

/** A benchmark of two pictures, one of which the instructions of a run have too. */
async function setUp() {
  const benchmark = await preparedBenchmark('pope', { describe_and_respond: 'off' });
  const { deps, folder } = benchmark;
  const root = join(temporaryFolder(), 'coco');
  await mkdir(root);
  await copyFile(join(folder, '0.png'), join(root, 'seen.png'));
  const conversations = [
    { from: 'human', value: '<image>\nWhat is it?' },
    { from: 'gpt', value: 'A square.' },
  ];
  const file = join(root, 'instructions.json');
  await writeFile(file, JSON.stringify([{ id: '1', image: 'seen.png', conversations }]));
  const unlabelled = await folderOfImages(3);
  const { config } = await prepared(deps, unlabelled, {
    training_stages: ['preference_training', 'infused_training'],
    infusion: {
      instructions: await registerSource(deps.workspace, file),
      image_root: await registerSource(deps.workspace, root),
    },
  });
  const { images } = await imagesActivities(deps).ingestImages({ config });
  const { selectInstructions } = instructionsActivities(deps);
  const { instructions } = await selectInstructions({ config, round: 1 });
  const pairs = await made(deps, 'preference_pairs', [images]);
  const first = await made(deps, 'adapter', [pairs, images]);
  const examples = await made(deps, 'infused_examples', [instructions]);
  const second = await made(deps, 'adapter', [examples, instructions, first]);
  return { benchmark, images, first, second };
}

/** An artifact that was made from others; nobody reads what is in it. */
async function made(
  { store }: ActivityDependencies,
  kind: ArtifactKind,
  inputs: ArtifactRef[],
): Promise<ArtifactRef> {
  return await store.build({ kind, inputs, parameters: {}, version: 1 }, () => Promise.resolve(0));
}

describe('scores of a policy', () => {
  it('say which pictures of the set stood in the instructions it was trained on', async () => {
    const { benchmark, images, second } = await setUp();

    const { scores } = await scored(benchmark, () => 'yes', {
      training_images: [images],
      adapter: second,
    });

    expect(scores.instruction_contamination).toMatchObject({
      ...{ num_training_images: 1, num_evaluation_images: 2, identical: 1 },
      examples: expect.arrayContaining([
        { evaluation: '0.png', training: 'seen.png', distance: null },
      ]) as unknown,
    });
    expect(scores.contamination).toMatchObject({ num_training_images: 3, identical: 0 });
  });

  it('say so in later rounds and for evaluations too, which train on nothing themselves', async () => {
    const { benchmark, second } = await setUp();
    const later = await made(benchmark.deps, 'adapter', [second]);

    const { scores } = await scored(benchmark, () => 'yes', { adapter: later });

    expect(scores.instruction_contamination).toMatchObject({ identical: 1 });
    expect(scores.contamination).toMatchObject({ num_training_images: 3 });
  });

  it('say nothing of instructions before the second stage, and nothing of a base model', async () => {
    const { benchmark, images, first } = await setUp();

    const afterFirst = await scored(benchmark, () => 'yes', {
      training_images: [images],
      adapter: first,
    });
    const base = await scored(benchmark, () => 'yes');

    expect(afterFirst.scores).not.toHaveProperty('instruction_contamination');
    expect(afterFirst.scores.contamination).toMatchObject({ num_training_images: 3 });
    expect(base.scores).not.toHaveProperty('instruction_contamination');
    expect(base.scores.contamination).toBeNull();
  });
});
