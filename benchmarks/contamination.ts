/**
 * Whether a model was trained on pictures that it is measured on: the same bytes, or the same picture in
 * other bytes (scaled, compressed anew), told by its difference hash. Reported, never acted upon.
 */
import type { Contamination } from '../contract/measures.ts';
import type { ImageRecord } from '../contract/records.ts';

/** Bits of 64 in which two hashes of one picture may differ; of unrelated photographs half do. */
export const MAX_DISTANCE = 4;

const MAX_EXAMPLES = 20;
/** One more than the bits that may differ: of two near hashes at least one band is equal. */
const NUM_BANDS = MAX_DISTANCE + 1;

type Picture = Pick<ImageRecord, 'image_id' | 'source_name' | 'dhash'>;

export function contaminationOf(
  training: Iterable<Picture>,
  evaluation: Iterable<Picture>,
): Contamination {
  const known = indexed(training);
  const examples: Contamination['examples'] = [];
  let [num_evaluation_images, identical, alike] = [0, 0, 0];
  for (const picture of evaluation) {
    num_evaluation_images += 1;
    const match = matchOf(picture, known);
    if (match === null) continue;
    if (match.distance === null) identical += 1;
    else alike += 1;
    if (examples.length < MAX_EXAMPLES) {
      examples.push({ evaluation: picture.source_name, ...match });
    }
  }
  return { num_training_images: known.size, num_evaluation_images, identical, alike, examples };
}

/** Bits in which two hashes of 16 hex digits differ. */
export function hashDistance(a: string, b: string): number {
  let bits = BigInt(`0x${a}`) ^ BigInt(`0x${b}`);
  let count = 0;
  for (; bits > 0n; bits &= bits - 1n) count += 1;
  return count;
}

interface Known {
  readonly size: number;
  readonly names: ReadonlyMap<string, string>;
  /** Pictures by each band of their hash. */
  readonly bands: ReadonlyMap<string, readonly Picture[]>;
}

function indexed(training: Iterable<Picture>): Known {
  const names = new Map<string, string>();
  const bands = new Map<string, Picture[]>();
  for (const picture of training) {
    names.set(picture.image_id, picture.source_name);
    for (const band of bandsOf(picture)) {
      const same = bands.get(band);
      if (same === undefined) bands.set(band, [picture]);
      else same.push(picture);
    }
  }
  return { size: names.size, names, bands };
}

type Match = Pick<Contamination['examples'][number], 'training' | 'distance'>;

function matchOf(picture: Picture, { names, bands }: Known): Match | null {
  const same = names.get(picture.image_id);
  if (same !== undefined) return { training: same, distance: null };
  for (const band of bandsOf(picture)) {
    for (const other of bands.get(band) ?? []) {
      const distance = hashDistance(picture.dhash ?? '0', other.dhash ?? '0');
      if (distance <= MAX_DISTANCE) return { training: other.source_name, distance };
    }
  }
  return null;
}

function bandsOf({ dhash }: Picture): string[] {
  if (dhash === undefined) return [];
  const bits = BigInt(`0x${dhash}`).toString(2).padStart(64, '0');
  return Array.from({ length: NUM_BANDS }, (_, band) => {
    const [start, end] = [band, band + 1].map((edge) => Math.floor((edge * 64) / NUM_BANDS));
    return `${band}:${bits.slice(start, end)}`;
  });
}
