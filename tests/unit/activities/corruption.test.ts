import { join } from 'node:path';
import { expect, test } from 'vitest';
import { adjustBrightness, corruptImage, shiftHue } from '../../../activities/corruption.ts';
import { sharp } from '../../../activities/safe-sharp.ts';
import { temporaryFolder } from './run-workspace.ts';

test('brightness multiplies, cuts the fraction off and stops at 255', () => {
  const rgb = Uint8Array.from([0, 101, 200]);
  adjustBrightness(rgb, 1.5);
  expect([...rgb]).toEqual([0, 151, 255]);
});

test.each([
  { shift: 85 / 255, from: [255, 0, 0], to: [0, 255, 0] },
  // 0 - 85 wraps to 171 of 256, while the circle has 255 steps: a little red is left.
  { shift: -85 / 255, from: [255, 0, 0], to: [6, 0, 255] },
  { shift: 85 / 255, from: [0, 255, 0], to: [0, 0, 255] },
  { shift: 0.3, from: [77, 77, 77], to: [77, 77, 77] },
])('a hue shift of $shift turns $from into $to', ({ shift, from, to }) => {
  const rgb = Uint8Array.from(from);
  shiftHue(rgb, shift);
  expect([...rgb]).toEqual(to);
});

// Computed with Pillow 13 as torchvision.transforms.functional.adjust_hue does for PIL images.
test.each(pillowCases())('a hue shift gives the bytes that Pillow gives: $shift', (known) => {
  const rgb = Uint8Array.from(known.from);
  shiftHue(rgb, known.shift);
  expect([...rgb]).toEqual(known.to);
});

test('the order of brightness and hue is kept', async () => {
  const path = join(temporaryFolder(), 'pixel.png');
  await sharp(Buffer.from([200, 100, 50]), { raw: { width: 1, height: 1, channels: 3 } })
    .png()
    .toFile(path);
  const jitter = { kind: 'color_jitter', brightness_factor: 1.5, hue_shift: 0.25 } as const;
  const pixels = await Promise.all(
    (['brightness_first', 'hue_first'] as const).map(async (order) =>
      sharp(await corruptImage(path, { ...jitter, order }))
        .raw()
        .toBuffer(),
    ),
  );
  const brightnessFirst = Uint8Array.from([200, 100, 50]);
  adjustBrightness(brightnessFirst, 1.5);
  shiftHue(brightnessFirst, 0.25);
  expect([...(pixels[0] ?? [])]).toEqual([...brightnessFirst]);
  expect(pixels[1]).not.toEqual(pixels[0]);
});

test('low resolution scales to the drawn size and averages what it shrinks', async () => {
  const path = join(temporaryFolder(), 'stripes.png');
  const stripes = Buffer.alloc(40 * 40 * 3);
  for (let place = 0; place < stripes.length; place += 1) {
    stripes[place] = Math.floor(place / 3) % 2 === 0 ? 0 : 200;
  }
  await sharp(stripes, { raw: { width: 40, height: 40, channels: 3 } })
    .png()
    .toFile(path);
  const png = await corruptImage(path, { kind: 'low_resolution', width: 4, height: 4 });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([4, 4]);
  // A nearest-neighbour kernel would give 0 or 200.
  for (const value of data) expect(Math.abs(value - 100)).toBeLessThan(12);
});

function pillowCases() {
  const from = [
    68, 32, 130, 60, 253, 230, 241, 194, 107, 48, 249, 14, 199, 221, 1, 228, 136, 117, 52, 162, 15,
    11, 13, 4,
  ];
  return [
    {
      shift: 0.29,
      from,
      to: [
        130, 37, 32, 174, 61, 253, 108, 241, 155, 15, 119, 249, 2, 221, 177, 130, 228, 117, 15, 95,
        162, 4, 13, 12,
      ],
    },
    {
      shift: -0.29,
      from,
      to: [
        32, 130, 94, 224, 253, 61, 233, 108, 241, 249, 42, 15, 221, 2, 136, 169, 117, 228, 162, 19,
        15, 13, 4, 8,
      ],
    },
    {
      shift: 0.1,
      from,
      to: [
        124, 32, 130, 61, 165, 253, 211, 241, 108, 15, 249, 114, 74, 221, 2, 228, 201, 117, 15, 162,
        64, 6, 13, 4,
      ],
    },
    {
      shift: -0.004,
      from,
      to: [
        64, 32, 130, 61, 253, 224, 241, 189, 108, 59, 249, 15, 208, 221, 2, 228, 133, 117, 57, 162,
        15, 11, 13, 4,
      ],
    },
  ];
}
