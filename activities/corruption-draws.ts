/** What is drawn for one corruption of an image; a severity in [0, 1] decides how much is left of it. */
import type { ExperimentConfig } from '../contract/config.ts';
import type { RejectionsConfig, RicherCorruption } from '../contract/config-rejections.ts';
import type { Corruption, ImageRecord } from '../contract/records.ts';
import { seedFor, uniform } from '../store/random.ts';

/** Numbers and seeds of one image in one round, by purpose. */
export interface Draws {
  readonly number: (purpose: string) => number;
  readonly seed: (purpose: string) => number;
}

export function drawsFor(runSeed: number, round: number, id: string): Draws {
  return {
    number: (purpose) => uniform(runSeed, round, id, purpose),
    seed: (purpose) => seedFor(runSeed, round, id, purpose),
  };
}

type Size = Pick<ImageRecord, 'width' | 'height'>;
type Preference = ExperimentConfig['preference'];

/** The paper's two corruptions; parameters of STIC 993734e stic/generate_pref.py:48-54. */
export function drawPaperCorruption(
  kind: 'low_resolution' | 'color_jitter',
  { low_resolution, color_jitter }: Preference,
  { width, height }: Size,
  draws: Draws,
): Corruption {
  if (kind === 'low_resolution') {
    const side = low_resolution.shorter_side_pixels;
    // torchvision's Resize truncates the longer side, and multiplies before it divides.
    const longer = Math.max(
      1,
      Math.trunc((side * Math.max(width, height)) / Math.min(width, height)),
    );
    return width <= height
      ? { kind, width: side, height: longer }
      : { kind, width: longer, height: side };
  }
  const { brightness, hue } = color_jitter;
  return {
    kind,
    brightness_factor: 1 + brightness * (2 * draws.number('brightness') - 1),
    hue_shift: hue * (2 * draws.number('hue') - 1),
    order: draws.number('order') < 0.5 ? 'brightness_first' : 'hue_first',
  };
}

/** One of the richer corruptions; lengths are shares of the image, so that sizes suffer alike. */
export function drawRicherCorruption(
  kind: RicherCorruption,
  severity: number,
  { width, height }: Size,
  draws: Draws,
): Corruption {
  switch (kind) {
    case 'blur':
      // 0.3 is the least that libvips blurs by.
      return { kind, severity, sigma: Math.max(0.3, 0.08 * severity * Math.min(width, height)) };
    case 'jpeg':
      return { kind, severity, quality: Math.round(30 - 29 * severity) };
    case 'occlusion':
      return { kind, severity, ...rectangle(0.9 * severity, { width, height }, draws) };
    case 'patch_shuffle': {
      const tiles = 2 + Math.round(6 * severity);
      const [columns, rows] = [Math.min(tiles, width), Math.min(tiles, height)];
      return { kind, severity, columns, rows, seed: draws.seed('patch_shuffle') };
    }
    case 'noise':
      return { kind, severity, step: Math.round(999 * severity), seed: draws.seed('noise') };
    case 'crop':
      return { kind, severity, ...rectangle(1 - 0.9 * severity, { width, height }, draws) };
  }
}

/** Evenly from the config's range, which moves from round to round and stays within [0, 1]. */
export function drawSeverity(
  { min, max, change_per_round }: RejectionsConfig['severity'],
  round: number,
  draws: Draws,
): number {
  const moved = (end: number): number =>
    Math.min(1, Math.max(0, end + change_per_round * (round - 1)));
  return moved(min) + draws.number('severity') * (moved(max) - moved(min));
}

/** A rectangle with the image's proportions, somewhere in it, over `share` of its area. */
function rectangle(share: number, { width, height }: Size, draws: Draws) {
  const scale = Math.sqrt(share);
  const [inner, outer] = [
    {
      width: Math.max(1, Math.round(width * scale)),
      height: Math.max(1, Math.round(height * scale)),
    },
    { width, height },
  ];
  return {
    left: Math.floor(draws.number('left') * (outer.width - inner.width + 1)),
    top: Math.floor(draws.number('top') * (outer.height - inner.height + 1)),
    ...inner,
  };
}
