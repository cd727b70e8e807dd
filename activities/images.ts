/** `ingestImages`: the unlabelled images of a run, each decoded once. */
import { type Activities, IngestImagesInput } from '../contract/activities.ts';
import { SticflowError } from '../store/errors.ts';
import { seedFor, shuffledOrder } from '../store/random.ts';
import { resolveSource } from '../store/sources.ts';
import type { ActivityDependencies } from './context.ts';
import { buildImageArtifact } from './image-artifact.ts';
import { type ImageListing, listImageSource } from './image-sources.ts';
import { readRunConfig } from './prepare-run.ts';

/** 2: with the difference hash of every image. */
const STAGE_VERSION = 2;

export function imagesActivities(deps: ActivityDependencies): Pick<Activities, 'ingestImages'> {
  return {
    async ingestImages(input) {
      const { config } = await readRunConfig(deps.store, IngestImagesInput.parse(input).config);
      const { source } = config.images;
      if (source === null) {
        throw new SticflowError(
          'ConfigInvalid',
          'Expected images.source to name images, got null.',
        );
      }
      const path = await resolveSource(deps.workspace, source);
      const listing = drawn(await listImageSource(path), config.images.max_images, config.seed);
      const { ref, counts } = await buildImageArtifact(deps, {
        kind: 'images',
        version: STAGE_VERSION,
        what: 'images of images.source',
        listing,
        images: config.images,
        parameters: {},
        write: async (_directory, { images }) => await Promise.resolve(images.length),
      });
      if (ref.num_records === 0) {
        throw new SticflowError(
          'DataInvalid',
          `Expected at least one usable image at images.source, found none. JPEG, PNG and WebP are read; put images there or name another folder.`,
        );
      }
      return { images: ref, counts };
    },
  };
}

/** A seeded draw of candidates, in their old order. */
function drawn(listing: ImageListing, limit: number | null, seed: number): ImageListing {
  if (limit === null || listing.candidates.length <= limit) return listing;
  const order = shuffledOrder(seedFor(seed, 'images'), listing.candidates.length);
  const chosen = new Set(order.slice(0, limit));
  return { ...listing, candidates: listing.candidates.filter((_, index) => chosen.has(index)) };
}
