/** The corruptions that the paper does not have: what they do to pixels, and what is drawn for them. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { corruptImage } from '../../../activities/corruption.ts';
import {
  drawRicherCorruption,
  drawSeverity,
  drawsFor,
} from '../../../activities/corruption-draws.ts';
import { diffuse, signalShare } from '../../../activities/corruption-pixels.ts';
import { drawPreference } from '../../../activities/preference-draws.ts';
import { sharp } from '../../../activities/safe-sharp.ts';
import { ExperimentConfig } from '../../../contract/config.ts';
import { REJECTION_SOURCES, RICHER_CORRUPTIONS } from '../../../contract/config-rejections.ts';
import { Corruption, type ImageRecord } from '../../../contract/records.ts';
import { temporaryFolder } from './run-workspace.ts';

const SIZE = { width: 60, height: 40 };

describe('what a corruption does', () => {
  test('occlusion covers its rectangle with grey and nothing else', async () => {
    const area = { left: 3, top: 5, width: 20, height: 10 };
    const { before, after } = await corrupted({ kind: 'occlusion', severity: 0.5, ...area });
    for (let row = 0; row < SIZE.height; row += 1) {
      for (let column = 0; column < SIZE.width; column += 1) {
        const inside = column >= 3 && column < 23 && row >= 5 && row < 15;
        expect(pixel(after, column, row)).toEqual(
          inside ? [128, 128, 128] : pixel(before, column, row),
        );
      }
    }
  });

  test('crop keeps the pixels of its rectangle', async () => {
    const area = { left: 7, top: 2, width: 30, height: 20 };
    const { before, after } = await corrupted({ kind: 'crop', severity: 0.5, ...area });
    expect([after.width, after.height]).toEqual([30, 20]);
    expect(pixel(after, 0, 0)).toEqual(pixel(before, 7, 2));
    expect(pixel(after, 29, 19)).toEqual(pixel(before, 36, 21));
  });

  test('patches change places and lose no pixel', async () => {
    const shuffle = { kind: 'patch_shuffle', severity: 0.5, columns: 3, rows: 2, seed: 5 } as const;
    const { before, after } = await corrupted(shuffle);
    expect([...after.data].sort()).toEqual([...before.data].sort());
    for (let tile = 0; tile < 6; tile += 1) {
      const [left, top] = [(tile % 3) * 20, Math.floor(tile / 3) * 20];
      const [from = [0, 0]] = places(before, pixel(after, left, top));
      // Whole tiles of 20 x 20 move, and every one of them.
      expect(from).not.toEqual([left, top]);
      expect(from.map((side) => side % 20)).toEqual([0, 0]);
      expect(pixel(after, left + 19, top + 19)).toEqual(pixel(before, from[0] + 19, from[1] + 19));
    }
  });

  test('blur flattens, and more of it flattens more', async () => {
    const [little, much] = await Promise.all(
      [1, 6].map(async (sigma) => {
        const { after } = await corrupted({ kind: 'blur', severity: 0.5, sigma });
        return deviation(after.data);
      }),
    );
    const { before } = await corrupted({ kind: 'blur', severity: 0, sigma: 0.3 });
    expect(little).toBeLessThan(deviation(before.data));
    expect(much).toBeLessThan(little ?? 0);
  });

  test('jpeg of a lower quality is further from the picture', async () => {
    const [fine, coarse] = await Promise.all(
      [30, 1].map(async (quality) => {
        const { before, after } = await corrupted({ kind: 'jpeg', severity: 0.5, quality });
        return distance(before.data, after.data);
      }),
    );
    expect(fine).toBeGreaterThan(0);
    expect(coarse).toBeGreaterThan(fine ?? 0);
  });

  // From the product of 1 - beta over the steps, computed in Python from POVID's formula.
  test.each([
    { step: 0, share: 0.9999776616 },
    { step: 500, share: 0.744798526 },
    { step: 999, share: 0.0812491943 },
  ])('of the variance, $share is left after diffusion step $step', ({ step, share }) => {
    expect(signalShare(step)).toBeCloseTo(share, 8);
  });

  test('diffusion keeps the mean it should and adds the noise it should', () => {
    const grey = new Uint8Array(300 * 300 * 3).fill(120);
    diffuse({ data: grey, width: 300, height: 300 }, { step: 100, seed: 11 });
    const share = signalShare(100);
    const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
    // 270,000 values: the mean is known to 0.05, the deviation to 0.03 of a grey level.
    expect(Math.abs(mean - 120 * Math.sqrt(share))).toBeLessThan(0.3);
    expect(Math.abs(deviation(grey) - 255 * Math.sqrt(1 - share))).toBeLessThan(0.3);
  });

  test.each(RICHER_CORRUPTIONS)('%s gives the same bytes for the same draw', async (kind) => {
    const drawn = drawRicherCorruption(kind, 0.6, SIZE, drawsFor(1, 1, 'a'));
    const [first, second] = [await corrupted(drawn), await corrupted(drawn)];
    expect(second.after.data).toEqual(first.after.data);
    expect(first.after.data).not.toEqual(first.before.data);
  });
});

describe('what is drawn', () => {
  test.each(RICHER_CORRUPTIONS)('%s stays inside an image of any size at any severity', (kind) => {
    for (const size of [SIZE, { width: 1, height: 1 }, { width: 3, height: 4000 }]) {
      for (const severity of [0, 0.37, 1]) {
        const drawn = drawRicherCorruption(kind, severity, size, drawsFor(1, 1, 'a'));
        expect(Corruption.parse(drawn)).toEqual(drawn);
        if (drawn.kind !== 'occlusion' && drawn.kind !== 'crop') continue;
        expect(drawn.left + drawn.width).toBeLessThanOrEqual(size.width);
        expect(drawn.top + drawn.height).toBeLessThanOrEqual(size.height);
      }
    }
  });

  test('sources come in the shares of the table', () => {
    const counts = counted({
      weights: { bad_prompt: 2, color_jitter: 0, low_resolution: 0, blur: 1, crop: 1 },
    });
    expect(Object.keys(counts).sort()).toEqual(['bad_prompt', 'blur', 'crop']);
    // 2,000 draws: three standard deviations are 67 and 58.
    expect(Math.abs((counts['bad_prompt'] ?? 0) - 1000)).toBeLessThan(67);
    expect(Math.abs((counts['blur'] ?? 0) - 500)).toBeLessThan(58);
  });

  test("a table without changes is the paper's 50, 25 and 25 percent", () => {
    const counts = counted({});
    expect(Object.keys(counts).sort()).toEqual(['bad_prompt', 'color_jitter', 'low_resolution']);
    expect(Math.abs((counts['bad_prompt'] ?? 0) - 1000)).toBeLessThan(67);
    expect(Math.abs((counts['low_resolution'] ?? 0) - 500)).toBeLessThan(58);
  });

  test('every source can be drawn alone', () => {
    for (const source of REJECTION_SOURCES) {
      const none = { bad_prompt: 0, low_resolution: 0, color_jitter: 0 };
      expect(counted({ weights: { ...none, [source]: 0.1 } }, 20)).toEqual({ [source]: 20 });
    }
  });

  test('severity moves from round to round and stays within 0 and 1', () => {
    const draws = drawsFor(1, 1, 'a');
    const severity = { min: 0.5, max: 0.5, change_per_round: -0.2 };
    expect([1, 2, 3, 4].map((round) => drawSeverity(severity, round, draws))).toEqual([
      0.5,
      expect.closeTo(0.3, 12),
      expect.closeTo(0.1, 12),
      0,
    ]);
  });

  test('parameters stand on the draw', () => {
    const config = configOf({
      weights: { bad_prompt: 0, low_resolution: 0, color_jitter: 0, noise: 1 },
    });
    const drawn = drawPreference(config, PROMPTS, 1, imageOf(0));
    expect(drawn.rejection_source).toBe('noise');
    expect(drawn.corruption).toMatchObject({ kind: 'noise', step: expect.any(Number) as unknown });
    expect(drawn.corrupted_image).toEqual({
      root: 'corrupted',
      file: `corrupted/${imageOf(0).image_id}.png`,
    });
    expect(drawn.rejected_prompt_id).toBe('normal/0');
  });
});

const PROMPTS = {
  well_crafted: { id: 'good', text: 'Describe well.' },
  normal: { id: 'normal', items: ['Describe.'] },
  bad: { id: 'bad', items: ['Invent.'] },
  infusion_template: { id: 'infusion', template: '{description} {instruction}' },
  describe_and_respond: {
    id: 'dar',
    description_prompt: 'Describe.',
    question_template: '{question}',
  },
};

function configOf(rejections: object): ExperimentConfig {
  return ExperimentConfig.parse({
    name: 'test',
    model: { source: 'builtin:scenes/model' },
    images: { source: 'builtin:scenes/images/unlabelled' },
    training_stages: ['preference_training'],
    preference: { rejections },
  });
}

function imageOf(number: number): ImageRecord {
  const image_id = number.toString(16).padStart(64, '0');
  return { image_id, source_name: `${String(number)}.png`, format: 'png', ...SIZE, notes: [] };
}

function counted(rejections: object, count = 2000): Record<string, number> {
  const config = configOf(rejections);
  const counts: Record<string, number> = {};
  for (let number = 0; number < count; number += 1) {
    const { rejection_source } = drawPreference(config, PROMPTS, 1, imageOf(number));
    counts[rejection_source] = (counts[rejection_source] ?? 0) + 1;
  }
  return counts;
}

interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A picture in which no two pixels are equal, before and after. */
async function corrupted(corruption: Corruption): Promise<{ before: Picture; after: Picture }> {
  const before = { data: new Uint8Array(SIZE.width * SIZE.height * 3), ...SIZE };
  for (let place = 0; place < SIZE.width * SIZE.height; place += 1) {
    before.data.set([(place * 37) % 256, (place * 101) % 251, place >> 4], place * 3);
  }
  const path = join(temporaryFolder(), 'picture.png');
  await sharp(before.data, { raw: { ...SIZE, channels: 3 } })
    .png()
    .toFile(path);
  const { data, info } = await sharp(await corruptImage(path, corruption))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  return { before, after: { data: Uint8Array.from(data), width: info.width, height: info.height } };
}

function pixel({ data, width }: Picture, column: number, row: number): number[] {
  const start = (row * width + column) * 3;
  return [...data.subarray(start, start + 3)];
}

function places(picture: Picture, wanted: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (let row = 0; row < picture.height; row += 1) {
    for (let column = 0; column < picture.width; column += 1) {
      if (pixel(picture, column, row).join() === wanted.join()) found.push([column, row]);
    }
  }
  return found;
}

function deviation(data: Uint8Array): number {
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  return Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
}

function distance(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, index) => sum + Math.abs(value - (b[index] ?? 0)), 0);
}
