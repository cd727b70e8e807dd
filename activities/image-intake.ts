/**
 * The way of images from a user's files into an artifact: hashed first, so that the artifact's key
 * knows their bytes; then each distinct file decoded once. What is decoded lies in a work folder by
 * hash, so that an attempt that died costs the images in hand and no more.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type DuplicateRecord,
  type ImageFile,
  ImageRecord,
  QUARANTINE_REASONS,
  type QuarantineRecord,
} from '../contract/records.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';
import { differenceHash } from './difference-hash.ts';
import { decodeImage, type ImageLimits } from './image-decoding.ts';
import type { ImageCandidate, ReadableImage } from './image-sources.ts';
import type { Progress } from './progress.ts';
import { leftOut } from './quarantine.ts';
import { sideBySide } from './side-by-side.ts';

/** libuv has four threads for files and decoding; more lanes would only hold more in memory. */
const LANES = Math.min(4, availableParallelism());

/** Folder of the PNG files inside an artifact; requests name files in it. */
export const IMAGE_FILES = 'files';

/** Distinct bytes, under every name they came by; the first one is the image's name. */
export interface HashedImage {
  readonly image_id: string;
  readonly read: () => Promise<Uint8Array>;
  readonly names: readonly [string, ...string[]];
}

export interface HashedImages {
  readonly images: readonly HashedImage[];
  readonly quarantined: readonly QuarantineRecord[];
}

/** Reads and hashes every candidate; the order of first names is kept. */
export async function hashImages(
  candidates: readonly (ImageCandidate | ReadableImage)[],
  limits: ImageLimits,
  progress: Progress,
): Promise<HashedImages> {
  progress.phase('hashing images', candidates.length);
  const hashes: (string | QuarantineRecord)[] = [];
  await sideBySide(candidates.entries(), LANES, async ([index, candidate]) => {
    hashes[index] = await hashOrReject(candidate, limits);
    progress.advance();
  });
  const names = new Map<string, [string, ...string[]]>();
  const images: { image_id: string; read: HashedImage['read']; names: [string, ...string[]] }[] =
    [];
  const quarantined: QuarantineRecord[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const hash = hashes[index];
    const { source_name } = candidate;
    if (typeof hash !== 'string') {
      if (hash !== undefined) quarantined.push(hash);
      continue;
    }
    const known = names.get(hash);
    if (known !== undefined) {
      known.push(source_name);
      continue;
    }
    const own: [string, ...string[]] = [source_name];
    names.set(hash, own);
    images.push({ image_id: hash, read: readerOf(candidate), names: own });
  }
  return { images, quarantined };
}

/** Digest over names and bytes: part of the key of every artifact that holds the images. */
export function fingerprintOf({ images, quarantined }: HashedImages): string {
  return sha256Hex(
    canonicalJson([
      images.map(({ image_id, names }) => [image_id, ...names]),
      quarantined.map(({ source_name, reason, sha256 }) => [source_name, reason, sha256]),
    ]),
  );
}

export interface Intake {
  readonly images: readonly ImageRecord[];
  readonly duplicates: readonly DuplicateRecord[];
  readonly quarantined: readonly QuarantineRecord[];
}

/** Ids of the images by every name they came by; what was left out has none. */
export function imageIdsByName({ images, duplicates }: Intake): ReadonlyMap<string, string> {
  return new Map(
    [...images, ...duplicates].map(({ source_name, image_id }) => [source_name, image_id]),
  );
}

/** Decodes every image into `workDirectory`, but for those an earlier attempt left there whole. */
export async function decodeImages(
  hashed: HashedImages,
  workDirectory: string,
  limits: ImageLimits,
  progress: Progress,
): Promise<Intake> {
  progress.phase('decoding images', hashed.images.length);
  const outcomes: Outcome[] = [];
  await sideBySide(hashed.images.entries(), LANES, async ([index, image]) => {
    outcomes[index] =
      (await finishedOutcome(workDirectory, image.image_id)) ??
      (await decodeInto(workDirectory, image, limits));
    progress.advance();
  });
  const images: ImageRecord[] = [];
  const duplicates: DuplicateRecord[] = [];
  const quarantined = [...hashed.quarantined];
  for (const [index, { image_id, names }] of hashed.images.entries()) {
    const outcome = outcomes[index];
    const [source_name, ...others] = names;
    if (outcome?.outcome === 'decoded') {
      images.push({ image_id, source_name, ...outcome.image });
      for (const name of others) {
        duplicates.push({ source_name: name, image_id, duplicate_of: source_name });
      }
    } else if (outcome !== undefined) {
      for (const name of names) {
        quarantined.push(leftOut(name, outcome.reason, outcome.detail, image_id));
      }
    }
  }
  return { images, duplicates, quarantined };
}

/** Name of an image's PNG inside {@link IMAGE_FILES}. */
export function imageFileName(imageId: string): string {
  return `${imageId}.png`;
}

/** The PNG of a decoded image as a request names it. */
export function cleanImage(imageId: string): ImageFile {
  return { root: 'images', file: `${IMAGE_FILES}/${imageFileName(imageId)}` };
}

/** Puts the PNG files of decoded images into the folder of an artifact. */
export async function placeImages(
  images: readonly ImageRecord[],
  workDirectory: string,
  directory: string,
): Promise<void> {
  await mkdir(join(directory, IMAGE_FILES));
  for (const { image_id } of images) {
    const file = imageFileName(image_id);
    await linkOrCopy(join(workDirectory, file), join(directory, IMAGE_FILES, file));
  }
}

function readerOf(candidate: ImageCandidate | ReadableImage): HashedImage['read'] {
  return 'path' in candidate ? () => readFile(candidate.path) : candidate.read;
}

async function hashOrReject(
  candidate: ImageCandidate | ReadableImage,
  limits: ImageLimits,
): Promise<string | QuarantineRecord> {
  const { source_name } = candidate;
  const tooLarge = (size: number): QuarantineRecord | null =>
    size <= limits.max_size_bytes
      ? null
      : leftOut(
          source_name,
          'file_too_large',
          `${size} bytes, images.max_size_bytes allows ${limits.max_size_bytes}`,
        );
  try {
    // A file is not even read when it is too large.
    const rejected = 'path' in candidate ? tooLarge((await stat(candidate.path)).size) : null;
    if (rejected !== null) return rejected;
    const bytes = await readerOf(candidate)();
    return tooLarge(bytes.length) ?? sha256Hex(bytes);
  } catch (error) {
    if (hasErrorCode(error, 'EACCES', 'EPERM')) {
      return leftOut(source_name, 'missing', 'permission to read it is denied');
    }
    if (hasErrorCode(error, 'ENOENT')) {
      return leftOut(source_name, 'missing', 'it vanished while images were listed');
    }
    throw error;
  }
}

/** `<image_id>.json` of the work folder, written after the PNG: what became of the image. */
const Outcome = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('decoded'),
    image: ImageRecord.pick({
      format: true,
      width: true,
      height: true,
      dhash: true,
      notes: true,
    }),
    png_sha256: z.string(),
  }),
  z.strictObject({
    outcome: z.literal('rejected'),
    reason: z.enum(QUARANTINE_REASONS),
    detail: z.string(),
  }),
]);
type Outcome = z.infer<typeof Outcome>;

async function finishedOutcome(directory: string, imageId: string): Promise<Outcome | null> {
  try {
    const outcome = Outcome.parse(
      JSON.parse(await readFile(join(directory, `${imageId}.json`), 'utf8')),
    );
    if (outcome.outcome === 'rejected') return outcome;
    const png = await readFile(join(directory, imageFileName(imageId)));
    return sha256Hex(png) === outcome.png_sha256 ? outcome : null;
  } catch (error) {
    // Cut off by a crash of the machine, or not there: either way it is decoded (again).
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    if (hasErrorCode(error, 'ENOENT')) return null;
    throw error;
  }
}

async function decodeInto(
  directory: string,
  { image_id, read, names }: HashedImage,
  limits: ImageLimits,
): Promise<Outcome> {
  const bytes = await read();
  if (sha256Hex(bytes) !== image_id) {
    throw new SticflowError(
      'DataInvalid',
      `"${names[0]}" was changed while images were read. Start the run again when nothing writes to the folder.`,
    );
  }
  const decoded = await decodeImage(bytes, limits);
  if (decoded.outcome === 'rejected') {
    await writeWhole(directory, `${image_id}.json`, canonicalJson(decoded));
    return decoded;
  }
  const outcome: Outcome = {
    outcome: 'decoded',
    image: { ...decoded.image, dhash: await differenceHash(decoded.png) },
    png_sha256: sha256Hex(decoded.png),
  };
  await writeWhole(directory, imageFileName(image_id), decoded.png);
  await writeWhole(directory, `${image_id}.json`, canonicalJson(outcome));
  return outcome;
}

/** Two attempts may write the same file: each renames a whole one into place. */
async function writeWhole(
  directory: string,
  name: string,
  content: string | Buffer,
): Promise<void> {
  const temporary = join(directory, `.tmp-${randomUUID()}`);
  await writeFile(temporary, content);
  await rename(temporary, join(directory, name));
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // Some network and memory-card file systems know no hard links.
    if (!hasErrorCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EXDEV')) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}
