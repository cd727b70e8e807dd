/**
 * Corruptions h(v) of an image, on 8-bit RGB. The paper's two: low resolution, and colour jitter with the very bytes
 * that torchvision gives for PIL images (STIC 993734e stic/generate_pref.py:48-54: Resize(20); ColorJitter(brightness=0.5,
 * hue=0.3)). The richer ones are steered by a severity (corruption-draws.ts).
 */
import type { Corruption } from '../contract/records.ts';
import { diffuse, occlude, type Pixels, shufflePatches } from './corruption-pixels.ts';
import { sharp } from './safe-sharp.ts';

/** Corrupts the PNG at `path`; what was drawn is in `corruption`. @returns PNG bytes */
export async function corruptImage(path: string, corruption: Corruption): Promise<Buffer> {
  const image = sharp(path);
  switch (corruption.kind) {
    case 'low_resolution': {
      const { width, height } = corruption;
      // libvips' linear kernel widens when it shrinks: the antialiased bilinear of torchvision.
      return await image.resize({ width, height, fit: 'fill', kernel: 'linear' }).png().toBuffer();
    }
    case 'blur':
      return await image.blur(corruption.sigma).png().toBuffer();
    case 'jpeg': {
      const compressed = await image.jpeg({ quality: corruption.quality }).toBuffer();
      return await sharp(compressed).png().toBuffer();
    }
    case 'crop': {
      const { left, top, width, height } = corruption;
      return await image.extract({ left, top, width, height }).png().toBuffer();
    }
    case 'color_jitter':
      return await onPixels(image, ({ data }) => {
        jitterColors(data, corruption);
      });
    case 'occlusion':
      return await onPixels(image, (pixels) => {
        occlude(pixels, corruption);
      });
    case 'patch_shuffle':
      return await onPixels(image, (pixels) => {
        shufflePatches(pixels, corruption);
      });
    case 'noise':
      return await onPixels(image, (pixels) => {
        diffuse(pixels, corruption);
      });
  }
}

async function onPixels(
  image: ReturnType<typeof sharp>,
  change: (pixels: Pixels) => void,
): Promise<Buffer> {
  const { data, info } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  change({ data, width, height });
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

function jitterColors(
  data: Uint8Array,
  { brightness_factor, hue_shift, order }: Extract<Corruption, { kind: 'color_jitter' }>,
): void {
  const brighten = (): void => {
    adjustBrightness(data, brightness_factor);
  };
  const shift = (): void => {
    shiftHue(data, hue_shift);
  };
  for (const step of order === 'brightness_first' ? [brighten, shift] : [shift, brighten]) step();
}

/** In place, as Pillow's `ImageEnhance.Brightness`: in float32, cut to a byte by truncation. */
export function adjustBrightness(rgb: Uint8Array, factor: number): void {
  const single = Math.fround(factor);
  for (let index = 0; index < rgb.length; index += 1) {
    rgb[index] = Math.min(255, Math.trunc(Math.fround((rgb[index] ?? 0) * single)));
  }
}

/**
 * Turns the hue by a share of the circle, in place; `rgb` holds whole pixels. Goes through Pillow's HSV of
 * three bytes and back, as torchvision does for PIL images: 255 steps, the shift wraps at 256.
 */
export function shiftHue(rgb: Uint8Array, shift: number): void {
  const steps = Math.trunc(shift * 255);
  for (let index = 0; index + 2 < rgb.length; index += 3) {
    const [hue, saturation, value] = toHsv(
      rgb[index] ?? 0,
      rgb[index + 1] ?? 0,
      rgb[index + 2] ?? 0,
    );
    rgb.set(toRgb((hue + steps) & 255, saturation, value), index);
  }
}

type Pixel = [number, number, number];

function toHsv(red: number, green: number, blue: number): Pixel {
  const value = Math.max(red, green, blue);
  const chroma = value - Math.min(red, green, blue);
  if (chroma === 0) return [0, 0, value];
  const distance = (channel: number): number => Math.fround((value - channel) / chroma);
  const [r, g, b] = [distance(red), distance(green), distance(blue)];
  const sixths = value === red ? b - g : value === green ? 2 + r - b : 4 + g - r;
  const hue = Math.fround((Math.fround(sixths) / 6 + 1) % 1);
  return [Math.trunc(hue * 255), Math.trunc(Math.fround(chroma / value) * 255), value];
}

function toRgb(hue: number, saturation: number, value: number): Pixel {
  if (saturation === 0) return [value, value, value];
  const place = Math.fround((hue * 6) / 255);
  const sixth = Math.floor(place);
  const rest = Math.fround(place - sixth);
  const share = Math.fround(saturation / 255);
  const channel = (part: number): number => Math.round(Math.fround(value * (1 - share * part)));
  const [low, falling, rising] = [channel(1), channel(rest), channel(1 - rest)];
  const sectors: readonly Pixel[] = [
    [value, rising, low],
    [falling, value, low],
    [low, value, rising],
    [low, falling, value],
    [rising, low, value],
    [value, low, falling],
  ];
  return sectors[sixth % 6] ?? [value, value, value];
}
