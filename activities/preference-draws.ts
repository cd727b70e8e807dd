/** What algorithm 1 draws for an image (arXiv:2405.19716): prompts, rejection source, corruption, seeds. */
import type { ExperimentConfig } from '../contract/config.ts';
import { REJECTION_SOURCES, type RejectionsConfig } from '../contract/config-rejections.ts';
import type { Prompts } from '../contract/prompts.ts';
import type { Corruption, ImageRecord, PreferenceDraw } from '../contract/records.ts';
import {
  type Draws,
  drawPaperCorruption,
  drawRicherCorruption,
  drawSeverity,
  drawsFor,
} from './corruption-draws.ts';

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
  const draws = drawsFor(config.seed, round, image_id);
  const normal = pick(prompts.normal, draws.number('prompt'));
  const bad = pick(prompts.bad, draws.number('bad_prompt'));
  const corruption = drawRejection(config.preference, round, image, draws);
  const rejected = corruption === null ? bad : normal;
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
    chosen_seed: draws.seed('chosen'),
    rejected_seed: draws.seed('rejected'),
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

/** The paper's shares by its two ratios, or those of the table where the config has one. */
function drawRejection(
  config: ExperimentConfig['preference'],
  round: number,
  image: ImageRecord,
  draws: Draws,
): Corruption | null {
  const { rejections, bad_prompt_ratio, low_resolution_ratio } = config;
  if (rejections === undefined) {
    if (draws.number('branch') < bad_prompt_ratio) return null;
    const isLow = draws.number('corruption') < low_resolution_ratio;
    return drawPaperCorruption(isLow ? 'low_resolution' : 'color_jitter', config, image, draws);
  }
  const source = drawSource(rejections.weights, draws.number('rejection_source'));
  if (source === 'bad_prompt') return null;
  if (source === 'low_resolution' || source === 'color_jitter') {
    return drawPaperCorruption(source, config, image, draws);
  }
  const severity = drawSeverity(rejections.severity, round, draws);
  return drawRicherCorruption(source, severity, image, draws);
}

/** A corruption whatever the share of bad prompts; the paper's two where the config has no other. */
export function drawCorruption(
  config: ExperimentConfig['preference'],
  round: number,
  image: ImageRecord,
  draws: Draws,
): Corruption {
  const { rejections } = config;
  const without = rejections && {
    ...rejections,
    weights: { ...rejections.weights, bad_prompt: 0 },
  };
  const isEmpty =
    without !== undefined && Object.values(without.weights).every((weight) => weight === 0);
  const { rejections: _table, ...paper } = { ...config, bad_prompt_ratio: 0 };
  const drawn = drawRejection(
    without === undefined || isEmpty ? paper : { ...paper, rejections: without },
    round,
    image,
    draws,
  );
  if (drawn === null) throw new RangeError('a share of 0 was drawn');
  return drawn;
}

/** The source in whose share of the whole the draw lies. */
function drawSource(
  weights: RejectionsConfig['weights'],
  draw: number,
): (typeof REJECTION_SOURCES)[number] {
  const sources = REJECTION_SOURCES.filter((source) => weights[source] > 0);
  let left = draw * sources.reduce((sum, source) => sum + weights[source], 0);
  for (const source of sources) {
    left -= weights[source];
    if (left < 0) return source;
  }
  // Rounding may leave a little; it belongs to the last one.
  return sources.at(-1) ?? 'bad_prompt';
}
