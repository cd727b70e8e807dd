/** `prepareDescribe`: one image and one question, for `sticflow describe`. */
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Activities, PrepareDescribeInput } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import { ImageRecord } from '../contract/records.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { resolveSource } from '../store/sources.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { buildImageArtifact } from './image-artifact.ts';
import { IMAGE_FILES, imageFileName } from './image-intake.ts';
import { listNames } from './image-sources.ts';
import { readRunConfig } from './prepare-run.ts';

/** 2: with the difference hash of the image. */
const IMAGES_VERSION = 2;
const STAGE_VERSION = 1;

export function describeActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'prepareDescribe'> {
  return {
    async prepareDescribe(input) {
      const { config: ref, image, question, description } = PrepareDescribeInput.parse(input);
      const run = await readRunConfig(deps.store, ref);
      const path = await resolveSource(deps.workspace, image);
      const { ref: images } = await buildImageArtifact(deps, {
        kind: 'images',
        version: IMAGES_VERSION,
        what: 'images to describe',
        listing: await listNames(dirname(path), [basename(path)]),
        images: { ...run.config.images, max_bad_ratio: 0 },
        parameters: { purpose: 'describe' },
        write: async (_directory, intake) => await Promise.resolve(intake.images.length),
      });
      const { describe_and_respond } = run.prompts;
      const prompt =
        question === null
          ? describe_and_respond.description_prompt
          : description === null
            ? question
            : describe_and_respond.question_template
                .replace('{description}', () => description)
                .replace('{question}', () => question);
      const requests = await deps.store.build(
        {
          kind: 'generation_requests',
          inputs: [images],
          parameters: {
            purpose: 'describe',
            prompt,
            max_new_tokens: run.config.evaluation.max_new_tokens,
          },
          version: STAGE_VERSION,
        },
        async (directory) => {
          const image_id = await placeOneImage(deps.store, images, directory);
          return await writeLines(join(directory, 'requests.jsonl'), [
            {
              request_id: 'describe',
              image: { root: 'images', file: `${IMAGE_FILES}/${imageFileName(image_id)}` },
              prompt,
              temperature: 0,
              top_p: null,
              max_new_tokens: run.config.evaluation.max_new_tokens,
              seed: 0,
            },
          ]);
        },
      );
      return { requests };
    },
  };
}

/** The request's folder holds its image: a single text has no other artifact to name. */
async function placeOneImage(
  store: Store,
  images: ArtifactRef,
  directory: string,
): Promise<string> {
  for await (const { image_id } of store.readLines(images, 'images.jsonl', ImageRecord)) {
    const file = join(IMAGE_FILES, imageFileName(image_id));
    await mkdir(join(directory, IMAGE_FILES));
    await copyFile(join(store.directory(images), file), join(directory, file));
    return image_id;
  }
  throw new SticflowError(
    'DataInvalid',
    'Expected a JPEG, PNG or WebP image that decodes, it does not.',
  );
}
