/** `prepareShard`: the requests of one shard, whatever the fan-out is for. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Activities, PrepareShardInput, type ShardSet } from '../contract/activities.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import {
  Generation,
  type GenerationRequest,
  ImageRecord,
  InstructionRecord,
  QuestionRecord,
  SceneTruth,
} from '../contract/records.ts';
import type { RunConfig } from '../contract/run-config.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor, shuffledOrder, uniform } from '../store/random.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { corruptImage } from './corruption.ts';
import { IMAGE_FILES, imageFileName } from './image-intake.ts';
import { drawPreference, pick } from './preference-draws.ts';
import { readRunConfig } from './prepare-run.ts';
import { withProgress } from './progress.ts';
import { finishedShard, requestsSpec, shardRange } from './shard-plan.ts';

interface Shard {
  readonly shards: ShardSet;
  readonly shard: number;
  readonly run: RunConfig;
}

export function shardsActivities(deps: ActivityDependencies): Pick<Activities, 'prepareShard'> {
  return {
    async prepareShard(input) {
      const { shards, shard } = PrepareShardInput.parse(input);
      const run = await readRunConfig(deps.store, shards.config);
      const descriptions =
        shards.task === 'dar_answers'
          ? (await finishedShard(deps.store, run, { ...shards, task: 'answers' }, shard))
              .generations
          : null;
      const spec = requestsSpec(shards, shard, run, descriptions);
      const requests = await deps.store.build(spec, async (directory) => {
        return await withProgress(async (progress) => {
          progress.phase('preparing requests', 0);
          return await writers[shards.task](deps, { shards, shard, run }, directory);
        });
      });
      return { requests };
    },
  };
}

const writers = {
  preference: writePreference,
  descriptions: writeDescriptions,
  answers: writeAnswers,
  dar_answers: writeDarAnswers,
} as const;

/** Algorithm 1: a chosen and a rejected text for each image of the shard. */
async function writePreference(
  deps: ActivityDependencies,
  { shards, shard, run }: Shard,
  directory: string,
): Promise<number> {
  const { config, prompts } = run;
  const all = await collected(deps.store.readLines(shards.source, 'images.jsonl', ImageRecord));
  const { start, end } = shardRange(shards, shard);
  const images = roundOrder(config, shards, all.length)
    .slice(start, end)
    .flatMap((place) => all[place] ?? []);
  const draws = images.map((image) => drawPreference(config, prompts, shards.round, image));
  await mkdir(join(directory, 'corrupted'));
  const requests: GenerationRequest[] = [];
  for (const draw of draws) {
    const clean = cleanImage(draw.image_id);
    if (draw.corruption !== null && draw.corrupted_image !== null) {
      const path = join(deps.store.directory(shards.source), clean.file);
      const png = await corruptImage(path, draw.corruption);
      await writeFile(join(directory, draw.corrupted_image.file), png);
    }
    requests.push(
      request(config.generation, {
        request_id: `${draw.image_id}/chosen`,
        image: clean,
        prompt: draw.chosen_prompt,
        seed: draw.chosen_seed,
      }),
      request(config.generation, {
        request_id: `${draw.image_id}/rejected`,
        image: draw.corrupted_image ?? clean,
        prompt: draw.rejected_prompt,
        seed: draw.rejected_seed,
      }),
    );
  }
  const stored = draws.map(({ chosen_prompt: _c, rejected_prompt: _r, ...draw }) => draw);
  await writeLines(join(directory, 'draws.jsonl'), stored);
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

/** Algorithm 2: a description of each instruction's image, asked for by a normal prompt. */
async function writeDescriptions(
  deps: ActivityDependencies,
  { shards, shard, run }: Shard,
  directory: string,
): Promise<number> {
  const { config, prompts } = run;
  const all = await collected(
    deps.store.readLines(shards.source, 'instructions.jsonl', InstructionRecord),
  );
  const { start, end } = shardRange(shards, shard);
  const draws = all.slice(start, end).map(({ example_id, image_id }) => {
    const prompt = pick(prompts.normal, uniform(config.seed, shards.round, example_id, 'prompt'));
    const seed = seedFor(config.seed, shards.round, example_id, 'description');
    return { example_id, image_id, prompt_id: prompt.id, seed, prompt: prompt.text };
  });
  const requests = draws.map(({ example_id, image_id, seed, prompt }) =>
    request(config.generation, {
      request_id: `${example_id}/description`,
      image: cleanImage(image_id),
      prompt,
      seed,
    }),
  );
  await writeLines(
    join(directory, 'draws.jsonl'),
    draws.map(({ prompt: _prompt, ...draw }) => draw),
  );
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

/** Direct answers, and the descriptions that describe-and-respond and the measures read; greedy. */
async function writeAnswers(
  deps: ActivityDependencies,
  shard: Shard,
  directory: string,
): Promise<number> {
  const { config, prompts } = shard.run;
  const requests: GenerationRequest[] = [];
  const describes =
    config.evaluation.describe_and_respond !== 'off' || (await hasTruth(deps, shard.shards));
  for (const { image_id, questions } of await questionsOfShard(deps, shard)) {
    const image = cleanImage(image_id);
    if (describes) {
      const prompt = prompts.describe_and_respond.description_prompt;
      requests.push(greedy(config, { request_id: `${image_id}/description`, image, prompt }));
    }
    if (config.evaluation.describe_and_respond === 'on') continue;
    for (const { question_id, question } of questions) {
      requests.push(
        greedy(config, { request_id: `${question_id}/direct`, image, prompt: question }),
      );
    }
  }
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

/** Each question with the policy's own description in front; with the image, in both steps. */
async function writeDarAnswers(
  deps: ActivityDependencies,
  shard: Shard,
  directory: string,
): Promise<number> {
  const { config, prompts } = shard.run;
  const answers = await finishedShard(
    deps.store,
    shard.run,
    { ...shard.shards, task: 'answers' },
    shard.shard,
  );
  const texts = new Map<string, string>();
  for await (const { request_id, text } of deps.store.readLines(
    answers.generations,
    'generations.jsonl',
    Generation,
  )) {
    texts.set(request_id, text);
  }
  const requests: GenerationRequest[] = [];
  for (const { image_id, questions } of await questionsOfShard(deps, shard)) {
    const description = texts.get(`${image_id}/description`);
    if (description === undefined) throw noDescription(image_id);
    for (const { question_id, question } of questions) {
      const prompt = prompts.describe_and_respond.question_template
        .replace('{description}', () => description)
        .replace('{question}', () => question);
      const image = cleanImage(image_id);
      requests.push(greedy(config, { request_id: `${question_id}/dar`, image, prompt }));
    }
  }
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

/** With the truth there, descriptions are measured even where no answer reads them. */
async function hasTruth({ store }: ActivityDependencies, { source }: ShardSet): Promise<boolean> {
  for await (const _truth of store.readLines(source, 'truth.jsonl', SceneTruth)) return true;
  return false;
}

interface ImageQuestions {
  readonly image_id: string;
  readonly questions: QuestionRecord[];
}

/** Shards are cut by image, so that all questions of an image share its encoding. */
async function questionsOfShard(
  { store }: ActivityDependencies,
  { shards, shard }: Shard,
): Promise<ImageQuestions[]> {
  const images = await collected(store.readLines(shards.source, 'images.jsonl', ImageRecord));
  const { start, end } = shardRange(shards, shard);
  const mine = new Map(
    images
      .slice(start, end)
      .map(({ image_id }) => [image_id, { image_id, questions: [] as QuestionRecord[] }]),
  );
  for await (const question of store.readLines(shards.source, 'questions.jsonl', QuestionRecord)) {
    mine.get(question.image_id)?.questions.push(question);
  }
  return [...mine.values()];
}

function cleanImage(imageId: string): GenerationRequest['image'] {
  return { root: 'images', file: `${IMAGE_FILES}/${imageFileName(imageId)}` };
}

type Asked = Pick<GenerationRequest, 'request_id' | 'image' | 'prompt'>;

function request(
  { temperature, top_p, max_new_tokens }: ExperimentConfig['generation'],
  asked: Asked & { readonly seed: number },
): GenerationRequest {
  return { ...asked, temperature, top_p, max_new_tokens };
}

function greedy(config: ExperimentConfig, asked: Asked): GenerationRequest {
  const { max_new_tokens } = config.evaluation;
  return { ...asked, temperature: 0, top_p: null, max_new_tokens, seed: 0 };
}

function noDescription(imageId: string): SticflowError {
  return new SticflowError(
    'DataInvalid',
    `Expected a description of the image ${imageId}, found none.`,
  );
}
