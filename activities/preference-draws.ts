/** What algorithm 1 draws for an image (arXiv:2405.19716): prompts, rejection source, corruption, seeds. */
import type { ExperimentConfig } from '../contract/config.ts';
import type { Prompts } from '../contract/prompts.ts';
import type { Corruption, ImageRecord, PreferenceDraw } from '../contract/records.ts';
import { seedFor, uniform } from '../store/random.ts';

export interface DrawnPrompts {
  readonly chosen_prompt: string;
  /** Asked for the rejected text; the pair stores the normal prompt. */
  readonly rejected_prompt: string;
}

/** A pure function of (run seed, round, image). */
export function drawPreference(
  config: ExperimentConfig,
  prompts: Prompts,
  round: number,
  image: ImageRecord,
): PreferenceDraw & DrawnPrompts {
  const { image_id, source_name } = image;
  const draw = (purpose: string): number => uniform(config.seed, round, image_id, purpose);
  const normal = pick(prompts.normal, draw('prompt'));
  const isBad = draw('branch') < config.preference.bad_prompt_ratio;
  const bad = pick(prompts.bad, draw('bad_prompt'));
  const corruption = isBad ? null : drawCorruption(config.preference, image, draw);
  const rejected = isBad ? bad : normal;
  return {
    image_id,
    source_name,
    prompt_id: normal.id,
    prompt: normal.text,
    chosen_prompt_id: prompts.well_crafted.id,
    chosen_prompt: prompts.well_crafted.text,
    rejected_prompt_id: rejected.id,
    rejected_prompt: rejected.text,
    rejection_source: corruption?.kind ?? 'bad_prompt',
    corruption,
    corrupted_image: corruption && { root: 'corrupted', file: `corrupted/${image_id}.png` },
    chosen_seed: seedFor(config.seed, round, image_id, 'chosen'),
    rejected_seed: seedFor(config.seed, round, image_id, 'rejected'),
  };
}

/** A member of a prompt list, with an id that names its place. */
export function pick(
  { id, items }: { readonly id: string; readonly items: readonly string[] },
  draw: number,
): { id: string; text: string } {
  const place = Math.floor(draw * items.length);
  return { id: `${id}/${String(place)}`, text: items[place] ?? '' };
}

function drawCorruption(
  { low_resolution_ratio, low_resolution, color_jitter }: ExperimentConfig['preference'],
  { width, height }: ImageRecord,
  draw: (purpose: string) => number,
): Corruption {
  if (draw('corruption') < low_resolution_ratio) {
    const side = low_resolution.shorter_side_pixels;
    // torchvision's Resize truncates the longer side, and multiplies before it divides.
    const longer = Math.max(
      1,
      Math.trunc((side * Math.max(width, height)) / Math.min(width, height)),
    );
    return width <= height
      ? { kind: 'low_resolution', width: side, height: longer }
      : { kind: 'low_resolution', width: longer, height: side };
  }
  const { brightness, hue } = color_jitter;
  return {
    kind: 'color_jitter',
    brightness_factor: 1 + brightness * (2 * draw('brightness') - 1),
    hue_shift: hue * (2 * draw('hue') - 1),
    order: draw('order') < 0.5 ? 'brightness_first' : 'hue_first',
  };
}
