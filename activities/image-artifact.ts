/** From a list of candidates to an artifact with decoded images, quarantine list and duplicates. */
import { join } from 'node:path';
import type { ArtifactKind, ArtifactRef } from '../contract/artifact.ts';
import type { ImagesConfig } from '../contract/config.ts';
import { DuplicateRecord, ImageRecord, QuarantineRecord } from '../contract/records.ts';
import type { JsonObject } from '../store/canonical.ts';
import { writeLines } from '../store/lines.ts';
import type { BuildSpec, Store } from '../store/store.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import {
  decodeImages,
  fingerprintOf,
  hashImages,
  type Intake,
  placeImages,
} from './image-intake.ts';
import type { ImageCandidate, ImageListing, ReadableImage } from './image-sources.ts';
import { withProgress } from './progress.ts';
import { countByReason, refuseTooManyBad } from './quarantine.ts';

interface ImageArtifact {
  readonly kind: ArtifactKind;
  readonly version: number;
  readonly what: string;
  readonly listing: ImageListing<ImageCandidate | ReadableImage>;
  readonly images: ImagesConfig;
  readonly inputs?: readonly ArtifactRef[];
  /** What else the bytes depend on. */
  readonly parameters: JsonObject;
  /** Writes further files; returns the number of records of the artifact. */
  readonly write: (directory: string, intake: Intake) => Promise<number>;
}

/** Finds or makes the artifact; an attempt that died costs the images it had in hand. */
export async function buildImageArtifact(
  { store }: ActivityDependencies,
  artifact: ImageArtifact,
): Promise<{ ref: ArtifactRef; counts: Record<string, number> }> {
  const { listing, images: limits } = artifact;
  return await withProgress(async (progress) => {
    const hashed = await hashImages(listing.candidates, limits, progress);
    const all = { ...hashed, quarantined: [...listing.quarantined, ...hashed.quarantined] };
    const { source: _source, max_images: _max, max_bad_ratio: _ratio, ...decoding } = limits;
    const spec: BuildSpec = {
      kind: artifact.kind,
      inputs: artifact.inputs ?? [],
      parameters: { ...artifact.parameters, ...decoding, images: fingerprintOf(all) },
      version: artifact.version,
    };
    const key = store.key(spec);
    const finished = await store.find(artifact.kind, key);
    const intake =
      finished === null
        ? await decodeImages(all, await store.workDirectory(artifact.kind, key), limits, progress)
        : await readIntake(store, finished);
    const num_items = listing.candidates.length + listing.quarantined.length;
    refuseTooManyBad({
      what: artifact.what,
      num_items,
      quarantined: intake.quarantined,
      max_bad_ratio: limits.max_bad_ratio,
      listed_in: 'the quarantine list of the report',
    });
    const ref = await store.build(spec, async (directory) => {
      await placeImages(intake.images, await store.workDirectory(artifact.kind, key), directory);
      await writeLines(join(directory, 'images.jsonl'), intake.images);
      await writeLines(join(directory, 'quarantine.jsonl'), sorted(intake.quarantined));
      await writeLines(join(directory, 'duplicates.jsonl'), intake.duplicates);
      return await artifact.write(directory, intake);
    });
    await store.removeWorkDirectory(artifact.kind, key);
    return {
      ref,
      counts: {
        images: intake.images.length,
        duplicates: intake.duplicates.length,
        quarantined: intake.quarantined.length,
        ignored: listing.num_ignored,
        ...countByReason(intake.quarantined),
      },
    };
  });
}

/** What an earlier attempt found, so that a retry decodes nothing. */
async function readIntake(store: Store, ref: ArtifactRef): Promise<Intake> {
  return {
    images: await collected(store.readLines(ref, 'images.jsonl', ImageRecord)),
    duplicates: await collected(store.readLines(ref, 'duplicates.jsonl', DuplicateRecord)),
    quarantined: await collected(store.readLines(ref, 'quarantine.jsonl', QuarantineRecord)),
  };
}

function sorted(records: readonly QuarantineRecord[]): QuarantineRecord[] {
  return [...records].sort((a, b) => (a.source_name < b.source_name ? -1 : 1));
}
