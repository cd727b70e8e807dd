/** `prepareShard`: the requests of one shard, whatever the fan-out is for. */
import { join } from 'node:path';
import { type Activities, PrepareShardInput } from '../contract/activities.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { type GenerationRequest, InstructionRecord } from '../contract/records.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor, uniform } from '../store/random.ts';
import { writeAnswers, writeDarAnswers } from './answer-requests.ts';
import { writeCandidates } from './candidates.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { cleanImage } from './image-intake.ts';
import { pick } from './preference-draws.ts';
import { readRunConfig } from './prepare-run.ts';
import { withProgress } from './progress.ts';
import { finishedShard, requestsSpec, type Shard, shardRange } from './shard-plan.ts';

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

/** A round's candidates: what the strategy asks about each image of the shard. */
async function writePreference(
  { store }: ActivityDependencies,
  shard: Shard,
  directory: string,
): Promise<number> {
  return await writeCandidates(store, shard, directory);
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

type Asked = Pick<GenerationRequest, 'request_id' | 'image' | 'prompt' | 'seed'>;

function request(
  { temperature, top_p, max_new_tokens }: ExperimentConfig['generation'],
  asked: Asked,
): GenerationRequest {
  return { ...asked, temperature, top_p, max_new_tokens };
}
