/**
 * `stic-released`: what the authors' code does (STIC 993734e), for audits; each defect is a switch in
 * `strategy_options.stic_released`. Its reference is always the base (dpo_trainer.py:245-251).
 */
import { strategyOptions } from '../../contract/config-strategies.ts';
import type { Corruption, PreferenceDraw } from '../../contract/records.ts';
import { cleanImage } from '../image-intake.ts';
import { descriptions } from './descriptions.ts';
import { regularisedDpo } from './stic-paper.ts';
import type { Candidates, ImageStrategy } from './strategy.ts';

export const sticReleased: ImageStrategy = {
  ...descriptions,
  candidateKnobs: (run) => {
    const { corruption } = strategyOptions(run.config).stic_released;
    const knobs = descriptions.candidateKnobs(run);
    return corruption === 'applied' ? knobs : { ...knobs, corruption };
  },
  candidates: (run, round, image) => {
    const described = descriptions.candidates(run, round, image);
    const { corruption } = strategyOptions(run.config).stic_released;
    return corruption === 'applied' ? described : uncorrupted(described);
  },
  training: (config) => {
    const { rejected_logps, training_image } = strategyOptions(config).stic_released;
    return {
      ...regularisedDpo(config),
      objective: { kind: 'stic_released', rejected_logps, training_image },
      reference: 'base',
    };
  },
};

/** The prompt of the corrupted branch is kept, its image is not. */
function uncorrupted(described: Candidates<PreferenceDraw>): Candidates<PreferenceDraw> {
  const { draw, requests } = described;
  if (draw.corruption === null) return described;
  return {
    draw: {
      ...draw,
      rejection_source: 'normal_prompt',
      corruption: null,
      corrupted_image: null,
    },
    requests: requests.map((asked) => ({ ...asked, image: cleanImage(draw.image_id) })),
    pictures: new Map<string, Corruption>(),
  };
}
