/**
 * The paper's two corruptions h(v), on 8-bit RGB: low resolution, and colour jitter as torchvision defines
 * it (STIC 993734e stic/generate_pref.py:48-54: Resize(20); ColorJitter(brightness=0.5, hue=0.3)).
 */
import type { Corruption } from '../contract/records.ts';
import { sharp } from './safe-sharp.ts';

/** Corrupts the PNG at `path`; what was drawn is in `corruption`. @returns PNG bytes */
export async function corruptImage(path: string, corruption: Corruption): Promise<Buffer> {
  const image = sharp(path);
  if (corruption.kind === 'low_resolution') {
    const { width, height } = corruption;
    // libvips' linear kernel widens when it shrinks: the antialiased bilinear of torchvision.
    return await image.resize({ width, height, fit: 'fill', kernel: 'linear' }).png().toBuffer();
  }
  const { data, info } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { brightness_factor, hue_shift } = corruption;
  const brighten = (): void => {
    adjustBrightness(data, brightness_factor);
  };
  const shift = (): void => {
    shiftHue(data, hue_shift);
  };
  for (const step of corruption.order === 'brightness_first'
    ? [brighten, shift]
    : [shift, brighten]) {
    step();
  }
  const { width, height } = info;
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** Multiplies and clamps, in place; truncates like a cast to uint8. */
export function adjustBrightness(rgb: Uint8Array, factor: number): void {
  for (let index = 0; index < rgb.length; index += 1) {
    rgb[index] = Math.min(255, Math.floor((rgb[index] ?? 0) * factor));
  }
}

/** Turns the hue by a share of the circle, in place; `rgb` holds whole pixels. */
export function shiftHue(rgb: Uint8Array, shift: number): void {
  for (let index = 0; index + 2 < rgb.length; index += 3) {
    const [red, green, blue] = [rgb[index] ?? 0, rgb[index + 1] ?? 0, rgb[index + 2] ?? 0];
    rgb.set(turned(red / 255, green / 255, blue / 255, shift), index);
  }
}

/** RGB to HSV, hue turned, and back; channels in 0..1, result in 0..255. */
function turned(red: number, green: number, blue: number, shift: number): number[] {
  const value = Math.max(red, green, blue);
  const chroma = value - Math.min(red, green, blue);
  const hue = chroma === 0 ? 0 : hueOf(red, green, blue, { value, chroma });
  const sixth = (((hue / 6 + shift) % 1) + 1) % 1;
  const channel = (offset: number): number => {
    const place = (offset + sixth * 6) % 6;
    return value - chroma * Math.max(0, Math.min(place, 4 - place, 1));
  };
  return [channel(5), channel(3), channel(1)].map((part) => Math.round(part * 255));
}

function hueOf(
  red: number,
  green: number,
  blue: number,
  { value, chroma }: { readonly value: number; readonly chroma: number },
): number {
  if (value === red) return ((green - blue) / chroma + 6) % 6;
  if (value === green) return (blue - red) / chroma + 2;
  return (red - green) / chroma + 4;
}
