/** The requests of one shard of the preference stage: what the run's strategy asks about each item. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShardSet } from '../contract/activities.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { QuestionDraw } from '../contract/questions.ts';
import {
  type GenerationRequest,
  ImageRecord,
  InstructionRecord,
  type PreferenceDraw,
} from '../contract/records.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor, shuffledOrder } from '../store/random.ts';
import type { Store } from '../store/store.ts';
import { collected } from './collected.ts';
import { corruptImage } from './corruption.ts';
import { cleanImage } from './image-intake.ts';
import { type Shard, shardRange } from './shard-plan.ts';
import { questionsOf } from './strategies/questions.ts';
import { strategyOf } from './strategies/registry.ts';
import type { Candidates } from './strategies/strategy.ts';

/** Writes draws, corrupted images and requests; returns the number of requests. */
export async function writeCandidates(
  store: Store,
  { shards, shard, run }: Shard,
  directory: string,
): Promise<number> {
  const { temperature, top_p, max_new_tokens } = run.config.generation;
  const draws: Draw[] = [];
  const requests: GenerationRequest[] = [];
  const written = new Set<string>();
  await mkdir(join(directory, 'corrupted'));
  const candidates = await candidatesOf(store, { shards, shard, run });
  for (const { draw, requests: asked, pictures } of candidates) {
    const path = join(store.directory(shards.source), cleanImage(draw.image_id).file);
    for (const [file, corruption] of pictures) {
      // Questions about one image share its picture.
      if (written.has(file)) continue;
      written.add(file);
      await writeFile(join(directory, file), await corruptImage(path, corruption));
    }
    draws.push(draw);
    for (const one of asked) requests.push({ ...one, temperature, top_p, max_new_tokens });
  }
  await writeLines(join(directory, 'draws.jsonl'), draws);
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

type Draw = PreferenceDraw | QuestionDraw;

async function candidatesOf(
  store: Store,
  { shards, shard, run }: Shard,
): Promise<Candidates<Draw>[]> {
  const { config } = run;
  const { source, round } = shards;
  const { start, end } = shardRange(shards, shard);
  const strategy = strategyOf(config);
  if (strategy.items === 'images') {
    const all = await collected(store.readLines(source, 'images.jsonl', ImageRecord));
    return roundOrder(config, shards, all.length)
      .slice(start, end)
      .flatMap((place) => all[place] ?? [])
      .map((image) => strategy.candidates(run, round, image));
  }
  // They are drawn for the round already.
  const all = await collected(store.readLines(source, 'instructions.jsonl', InstructionRecord));
  return all
    .slice(start, end)
    .flatMap((record) => questionsOf(record, strategy.turns(config)))
    .map((question) => strategy.candidates(run, round, question));
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
