/**
 * `embedImages`, `compareFeatures` and `selectImages`: images as the model's own vision tower sees
 * them, how near sets of them are, and the images that are nearest to a target.
 */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import { FeatureDistance } from '../contract/records.ts';
import {
  CompareFeaturesInput,
  EmbedImagesInput,
  SelectImagesInput,
  type StudyActivities,
  type StudyGpuActivities,
} from '../contract/study-activities.ts';
import { selectedImagesDir } from '../store/layout.ts';
import { seedFor } from '../store/random.ts';
import { registerSource } from '../store/sources.ts';
import type { BuildSpec } from '../store/store.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { finishedOrMade, modelParameters, policyInputs } from './gpu-work.ts';
import { IMAGE_FILES, imageFileName } from './image-intake.ts';
import { runModelRequest } from './model-request.ts';
import { readRunConfig } from './prepare-run.ts';
import { countOf, readRun } from './study.ts';

const EMBED_VERSION = 1;
const COMPARE_VERSION = 1;
/** van der Maaten and Hinton 2008 recommend 5 to 50; scikit-learn's default. */
const PERPLEXITY = 30;
/** t-SNE tells nothing while it works: some thousand images on a slow machine. */
const COMPARE_STALL_MS = 3600_000;

export function embeddingActivities(deps: ActivityDependencies): StudyGpuActivities {
  return {
    async embedImages(input) {
      const { config: ref, policy, source, max_images } = EmbedImagesInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const features = await finishedOrMade(deps, {
        spec: {
          kind: 'features',
          inputs: [source, ...policyInputs(policy)],
          parameters: { ...modelParameters(config.model), max_images },
          version: EMBED_VERSION,
        },
        model: config.model,
        policy,
        request: (fields) => ({
          ...fields,
          command: 'embed',
          images_path: join(deps.store.directory(source), 'images.jsonl'),
          image_roots: { images: deps.store.directory(source), corrupted: null },
          max_images,
        }),
      });
      return { features };
    },
  };
}

export function featuresActivities(
  deps: ActivityDependencies,
): Pick<StudyActivities, 'compareFeatures' | 'selectImages'> {
  const { store, workspace } = deps;
  return {
    async compareFeatures(input) {
      const { config: ref, reference, sets, project } = CompareFeaturesInput.parse(input);
      const { config } = await readRunConfig(store, ref);
      const projection = project
        ? { perplexity: PERPLEXITY, seed: seedFor(config.seed, 'projection') % 2 ** 32 }
        : null;
      const spec: BuildSpec = {
        kind: 'feature_comparison',
        inputs: [reference.features, ...sets.map(({ features }) => features)],
        parameters: { reference: reference.name, sets: sets.map(({ name }) => name), projection },
        version: COMPARE_VERSION,
      };
      const located = ({ name, features }: { name: string; features: ArtifactRef }) => ({
        name,
        path: store.directory(features),
      });
      const feature_comparison = await store.build(spec, async (directory) => {
        const { num_records } = await runModelRequest(
          deps,
          {
            protocol_version: PROTOCOL_VERSION,
            request_id: `feature_comparison/${store.key(spec)}`,
            command: 'compare_features',
            output_dir: directory,
            reference: located(reference),
            sets: sets.map(located),
            projection,
          },
          COMPARE_STALL_MS,
        );
        return num_records;
      });
      return { feature_comparison };
    },

    async selectImages(input) {
      const { plan: ref, run, images, feature_comparison } = SelectImagesInput.parse(input);
      const { plan, arm } = await readRun(store, ref, run);
      const count = countOf(plan, arm) ?? 0;
      const distances = await collected(
        store.readLines(feature_comparison, 'distances.jsonl', FeatureDistance),
      );
      const sign = arm.nearest_images?.order === 'farthest' ? -1 : 1;
      // Equal distances are told apart by the image, so that the choice never hangs on an order.
      distances.sort(
        (a, b) => sign * (a.distance - b.distance) || (a.image_id < b.image_id ? -1 : 1),
      );
      const folder = join(
        selectedImagesDir(workspace, feature_comparison.key),
        `${arm.nearest_images?.order ?? 'nearest'}-${count}`,
      );
      await mkdir(folder, { recursive: true });
      for (const { image_id } of distances.slice(0, count)) {
        const name = imageFileName(image_id);
        await copyFile(join(store.directory(images), IMAGE_FILES, name), join(folder, name));
      }
      return { images: await registerSource(workspace, folder) };
    },
  };
}
