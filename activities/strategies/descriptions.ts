/**
 * Candidates and pairing of algorithm 1 (arXiv:2405.19716): for each image a careful description against
 * one from a bad prompt or a corrupted image. Several strategies differ in the training alone.
 */
import type { ExperimentConfig } from '../../contract/config.ts';
import {
  type Corruption,
  type Generation,
  type ImageRecord,
  PreferenceDraw,
  type PreferencePair,
} from '../../contract/records.ts';
import type { RunConfig } from '../../contract/run-config.ts';
import type { JsonObject } from '../../store/canonical.ts';
import { SticflowError } from '../../store/errors.ts';
import { cleanImage } from '../image-intake.ts';
import { policyId } from '../policy-id.ts';
import { drawPreference } from '../preference-draws.ts';
import type { AnsweredShard, Candidates, ImageStrategy } from './strategy.ts';

export const descriptions: Omit<ImageStrategy, 'training'> = {
  items: 'images',
  candidateKnobs: drawnKnobs,
  candidates: describe,
  pairing: pairs,
};

function drawnKnobs({ config, prompts }: RunConfig): JsonObject {
  // What is dropped afterwards and how many images a round has do not change a request.
  const {
    degenerate: _degenerate,
    images_per_round: _images,
    rejections,
    ...drawn
  } = config.preference;
  const { well_crafted, normal, bad } = prompts;
  return {
    ...drawn,
    ...(rejections === undefined ? {} : { rejections }),
    prompts: { well_crafted, normal, bad },
  };
}

function describe(
  { config, prompts }: RunConfig,
  round: number,
  image: ImageRecord,
): Candidates<PreferenceDraw> {
  const drawn = drawPreference(config, prompts, round, image);
  const { chosen_prompt, rejected_prompt, ...draw } = drawn;
  const clean = cleanImage(image.image_id);
  const pictures = new Map<string, Corruption>();
  if (draw.corruption !== null && draw.corrupted_image !== null) {
    pictures.set(draw.corrupted_image.file, draw.corruption);
  }
  return {
    draw,
    pictures,
    requests: [
      {
        request_id: `${image.image_id}/chosen`,
        image: clean,
        prompt: chosen_prompt,
        seed: draw.chosen_seed,
      },
      {
        request_id: `${image.image_id}/rejected`,
        image: draw.corrupted_image ?? clean,
        prompt: rejected_prompt,
        seed: draw.rejected_seed,
      },
    ],
  };
}

async function* pairs(shard: AnsweredShard): AsyncGenerator<PreferencePair> {
  for await (const draw of shard.store.readLines(shard.requests, 'draws.jsonl', PreferenceDraw)) {
    yield pairOf(shard, draw);
  }
}

function pairOf({ run: { config }, shards, texts }: AnsweredShard, draw: PreferenceDraw) {
  const chosen = required(texts, `${draw.image_id}/chosen`);
  const rejected = required(texts, `${draw.image_id}/rejected`);
  const { prompt, image_id, ...drawn } = draw;
  return {
    pair_id: `${image_id}/${String(shards.round)}`,
    images: [cleanImage(image_id)],
    prompt: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: prompt }] }],
    chosen: [{ role: 'assistant', content: [{ type: 'text', text: chosen.text }] }],
    rejected: [{ role: 'assistant', content: [{ type: 'text', text: rejected.text }] }],
    provenance: {
      ...drawn,
      image_id,
      round: shards.round,
      policy: policyId(shards.policy),
      run_seed: config.seed,
      sampling: sampled(config),
      chosen_finish_reason: chosen.finish_reason,
      rejected_finish_reason: rejected.finish_reason,
    },
  } satisfies PreferencePair;
}

/** The text of a request, which must be there. */
export function required(texts: AnsweredShard['texts'], id: string): Generation {
  const found = texts.get(id);
  if (found !== undefined) return found;
  throw new SticflowError('DataInvalid', `Expected a text for the request ${id}, found none.`);
}

export function sampled({
  generation,
}: ExperimentConfig): PreferencePair['provenance']['sampling'] {
  const { temperature, top_p, max_new_tokens } = generation;
  return { temperature, top_p, max_new_tokens };
}
