/**
 * `mdpo`: DPO that has to look (arXiv:2406.11839): the same chosen text is to be likelier on the clean image
 * than on a corrupted one, and an anchor keeps it from getting unlikely on both. STIC has such images.
 */
import type { ExperimentConfig } from '../../contract/config.ts';
import { strategyOptions } from '../../contract/config-strategies.ts';
import type { Corruption, ImageRecord, PreferenceDraw } from '../../contract/records.ts';
import { drawRicherCorruption, drawsFor } from '../corruption-draws.ts';
import { drawCorruption } from '../preference-draws.ts';
import { descriptions } from './descriptions.ts';
import { regularisedDpo } from './stic-paper.ts';
import type { ImageStrategy } from './strategy.ts';

export const mdpo: ImageStrategy = {
  ...descriptions,
  candidateKnobs: (run) => {
    const { contrast, contrast_severity } = strategyOptions(run.config).mdpo;
    return {
      ...descriptions.candidateKnobs(run),
      contrast,
      ...(contrast === 'pair' ? {} : { contrast_severity }),
    };
  },
  candidates: (run, round, image) => {
    const { draw, requests, pictures } = descriptions.candidates(run, round, image);
    const corruption = contrastOf(run.config, round, image, draw);
    const file = `corrupted/${image.image_id}-contrast.png`;
    return {
      requests,
      draw: { ...draw, contrast: { corruption, image: { root: 'corrupted', file } } },
      pictures: new Map([...pictures, [file, corruption]]),
    };
  },
  training: (config) => {
    const { image_weight, anchor_weight, anchor } = strategyOptions(config).mdpo;
    return {
      ...regularisedDpo(config),
      objective: { kind: 'mdpo', image_weight, anchor_weight, anchor },
    };
  },
};

function contrastOf(
  config: ExperimentConfig,
  round: number,
  image: ImageRecord,
  { corruption }: PreferenceDraw,
): Corruption {
  const { contrast, contrast_severity } = strategyOptions(config).mdpo;
  const draws = drawsFor(config.seed, round, `${image.image_id}/contrast`);
  if (contrast !== 'pair') return drawRicherCorruption(contrast, contrast_severity, image, draws);
  return corruption ?? drawCorruption(config.preference, round, image, draws);
}
