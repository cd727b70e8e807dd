/** The requests of one shard of the preference stage: what the run's strategy asks about each item. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShardSet } from '../contract/activities.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { type GenerationRequest, ImageRecord, type PreferenceDraw } from '../contract/records.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor, shuffledOrder } from '../store/random.ts';
import type { Store } from '../store/store.ts';
import { collected } from './collected.ts';
import { corruptImage } from './corruption.ts';
import { cleanImage } from './image-intake.ts';
import { type Shard, shardRange } from './shard-plan.ts';
import { strategyOf } from './strategies/registry.ts';

/** Writes draws, corrupted images and requests; returns the number of requests. */
export async function writeCandidates(
  store: Store,
  { shards, shard, run }: Shard,
  directory: string,
): Promise<number> {
  const { config } = run;
  const all = await collected(store.readLines(shards.source, 'images.jsonl', ImageRecord));
  const { start, end } = shardRange(shards, shard);
  const images = roundOrder(config, shards, all.length)
    .slice(start, end)
    .flatMap((place) => all[place] ?? []);
  const strategy = strategyOf(config);
  const { temperature, top_p, max_new_tokens } = config.generation;
  const draws: PreferenceDraw[] = [];
  const requests: GenerationRequest[] = [];
  await mkdir(join(directory, 'corrupted'));
  for (const image of images) {
    const { draw, requests: asked, pictures } = strategy.candidates(run, shards.round, image);
    const path = join(store.directory(shards.source), cleanImage(image.image_id).file);
    for (const [file, corruption] of pictures) {
      await writeFile(join(directory, file), await corruptImage(path, corruption));
    }
    draws.push(draw);
    for (const one of asked) requests.push({ ...one, temperature, top_p, max_new_tokens });
  }
  await writeLines(join(directory, 'draws.jsonl'), draws);
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

/** Images of a round: one seeded order for the run, each round goes on where the last one ended. */
function roundOrder(config: ExperimentConfig, shards: ShardSet, numImages: number): number[] {
  const order = shuffledOrder(seedFor(config.seed, 'preference_order'), numImages);
  const first = (shards.round - 1) * shards.num_items;
  return Array.from(
    { length: shards.num_items },
    (_, index) => order[(first + index) % numImages] ?? 0,
  );
}
