import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceHash } from '../../../activities/difference-hash.ts';
import { sharp } from '../../../activities/safe-sharp.ts';
import { contaminationOf, hashDistance, MAX_DISTANCE } from '../../../benchmarks/contamination.ts';
import { SHARED } from '../activities/run-workspace.ts';

const PHOTOS = join(SHARED, 'images', 'photos');

const picture = (name: string, dhash: string) => ({
  image_id: name.padEnd(64, '0'),
  source_name: name,
  dhash,
});

describe('differenceHash', () => {
  it('has a bit for each of 9 x 8 pixels that is darker than its right neighbour', async () => {
    // Eight equal rows that grow lighter to the right, then one step down at the end.
    const row = [10, 20, 30, 40, 50, 60, 70, 80, 0];
    const pixels = Buffer.from(Array.from({ length: 8 }, () => row).flat());
    const raw = { width: 9, height: 8, channels: 1 as const };
    const png = await sharp(pixels, { raw }).png().toBuffer();

    // 1111 1110 in every row.
    expect(await differenceHash(png)).toBe('fe'.repeat(8));
  });

  it('finds a photograph again that was scaled and compressed, and no other', async () => {
    const files = readdirSync(PHOTOS)
      .filter((name) => /\.(?:jpe?g|png|webp)$/i.test(name))
      .slice(0, 12);
    const originals = await Promise.all(
      files.map(async (name) =>
        sharp(await readFile(join(PHOTOS, name)))
          .png()
          .toBuffer(),
      ),
    );
    const copies = await Promise.all(
      originals.map(async (png) => {
        const small = await sharp(png).resize({ width: 200 }).jpeg({ quality: 40 }).toBuffer();
        return sharp(small).png().toBuffer();
      }),
    );
    const hashes = async (pngs: readonly Buffer[]) => Promise.all(pngs.map(differenceHash));
    const [own, other] = [await hashes(originals), await hashes(copies)];

    const near = own.flatMap((one, a) =>
      other.flatMap((two, b) => (hashDistance(one, two) <= MAX_DISTANCE ? [[a, b]] : [])),
    );
    expect(near).toEqual(files.map((_, index) => [index, index]));
  });
});

describe('contaminationOf', () => {
  it('tells the same bytes from the same picture in other bytes', () => {
    const training = [picture('a', '00000000000000ff'), picture('b', 'ffffffffffffffff')];
    const evaluation = [
      picture('a', '00000000000000ff'),
      // Four bits of b's hash differ; five of a's.
      picture('c', 'fffffffffffffff0'),
      picture('d', '0000000000001fe0'),
    ];

    expect(contaminationOf(training, evaluation)).toEqual({
      num_training_images: 2,
      num_evaluation_images: 3,
      identical: 1,
      alike: 1,
      examples: [
        { evaluation: 'a', training: 'a', distance: null },
        { evaluation: 'c', training: 'b', distance: 4 },
      ],
    });
  });

  it('finds by its index what a comparison of all pairs finds', () => {
    const hash = fc
      .bigInt({ min: 0n, max: 2n ** 64n - 1n })
      .map((bits) => bits.toString(16).padStart(16, '0'));
    const flips = fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(hash, { minLength: 1, maxLength: 8 }), flips, (hashes, bits) => {
        const [first = ''] = hashes;
        const flipped = bits.reduce(
          (value, bit) => value ^ (1n << BigInt(bit)),
          BigInt(`0x${first}`),
        );
        const dhash = flipped.toString(16).padStart(16, '0');
        const training = hashes.map((one, index) => picture(`t${String(index)}`, one));

        const { alike } = contaminationOf(training, [picture('e', dhash)]);

        const isNear = hashes.some((one) => hashDistance(one, dhash) <= MAX_DISTANCE);
        return alike === (isNear ? 1 : 0);
      }),
    );
  });
});
