/** The requests of an evaluation: direct answers and descriptions, then answers with the description in front. */
import { join } from 'node:path';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import {
  Generation,
  type GenerationRequest,
  ImageRecord,
  QuestionRecord,
  SceneTruth,
} from '../contract/records.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import type { Store } from '../store/store.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { cleanImage } from './image-intake.ts';
import { finishedShard, type Shard, shardRange } from './shard-plan.ts';

/** Direct answers, and the descriptions that describe-and-respond and the measures read; greedy. */
export async function writeAnswers(
  { store }: ActivityDependencies,
  shard: Shard,
  directory: string,
): Promise<number> {
  const { config, prompts } = shard.run;
  const { describe_and_respond, describe_blind } = config.evaluation;
  const requests: GenerationRequest[] = [];
  const describes = describe_and_respond !== 'off' || (await hasTruth(store, shard.shards.source));
  for (const { image_id, questions } of await askedInShard(store, shard)) {
    const image = image_id === null ? null : cleanImage(image_id);
    if (describes && image_id !== null) {
      requests.push(
        greedy(config, {
          request_id: descriptionId(image_id),
          // STIC's script asks for the description and forgets to pass the image.
          image: describe_blind === true ? null : image,
          prompt: prompts.describe_and_respond.description_prompt,
        }),
      );
    }
    if (describe_and_respond === 'on') continue;
    for (const question of questions) {
      const { question_id, question: prompt } = question;
      requests.push(
        greedy(config, { request_id: `${question_id}/direct`, image, prompt }, question),
      );
    }
  }
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

/**
 * Each question with the policy's own description in front; with the image, in both steps. A question
 * about text alone has nothing to describe and is asked as it is.
 */
export async function writeDarAnswers(
  { store }: ActivityDependencies,
  shard: Shard,
  directory: string,
): Promise<number> {
  const { config, prompts } = shard.run;
  const texts = await descriptionsOf(store, shard);
  const requests: GenerationRequest[] = [];
  for (const { image_id, questions } of await askedInShard(store, shard)) {
    const image = image_id === null ? null : cleanImage(image_id);
    for (const question of questions) {
      const prompt =
        image_id === null
          ? question.question
          : infused(prompts.describe_and_respond.question_template, {
              description: required(texts, image_id),
              question: question.question,
            });
      const request_id = `${question.question_id}/dar`;
      requests.push(greedy(config, { request_id, image, prompt }, question));
    }
  }
  return await writeLines(join(directory, 'requests.jsonl'), requests);
}

/** Request of an image's description. */
export function descriptionId(imageId: string): string {
  return `${imageId}/description`;
}

function infused(
  template: string,
  { description, question }: { description: string; question: string },
): string {
  return template.replace('{description}', () => description).replace('{question}', () => question);
}

/** By request; written by the same policy, in the same shard of the task `answers`. */
async function descriptionsOf(
  store: Store,
  { shards, shard, run }: Shard,
): Promise<ReadonlyMap<string, string>> {
  const answers = await finishedShard(store, run, { ...shards, task: 'answers' }, shard);
  const generations = store.readLines(answers.generations, 'generations.jsonl', Generation);
  const texts = new Map<string, string>();
  for await (const { request_id, text } of generations) texts.set(request_id, text);
  return texts;
}

function required(texts: ReadonlyMap<string, string>, imageId: string): string {
  const text = texts.get(descriptionId(imageId));
  if (text !== undefined) return text;
  throw new SticflowError(
    'DataInvalid',
    `Expected a description of the image ${imageId}, found none.`,
  );
}

/** With the truth there, descriptions are measured even where no answer reads them. */
async function hasTruth(store: Store, source: ArtifactRef): Promise<boolean> {
  for await (const _truth of store.readLines(source, 'truth.jsonl', SceneTruth)) return true;
  return false;
}

/** What a shard is cut by: an image with its questions, or one question about text alone. */
interface Asked {
  readonly image_id: string | null;
  readonly questions: QuestionRecord[];
}

/** Images first, in their order, so that all questions of an image share its encoding. */
async function askedInShard(store: Store, { shards, shard }: Shard): Promise<Asked[]> {
  const images = await collected(store.readLines(shards.source, 'images.jsonl', ImageRecord));
  const ofImage = new Map<string, Asked>(
    images.map(({ image_id }) => [image_id, { image_id, questions: [] }]),
  );
  const textAlone: Asked[] = [];
  for await (const question of store.readLines(shards.source, 'questions.jsonl', QuestionRecord)) {
    if (question.image_id === null) textAlone.push({ image_id: null, questions: [question] });
    else ofImage.get(question.image_id)?.questions.push(question);
  }
  const { start, end } = shardRange(shards, shard);
  return [...ofImage.values(), ...textAlone].slice(start, end);
}

/** The shorter of two limits: the config's, and the one of the benchmark's own script. */
function greedy(
  config: ExperimentConfig,
  asked: Pick<GenerationRequest, 'request_id' | 'image' | 'prompt'>,
  question?: Pick<QuestionRecord, 'max_new_tokens'>,
): GenerationRequest {
  const limit = config.evaluation.max_new_tokens;
  const max_new_tokens = Math.min(limit, question?.max_new_tokens ?? limit);
  return { ...asked, temperature: 0, top_p: null, max_new_tokens, seed: 0 };
}
