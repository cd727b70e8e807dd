/** `scoreAnswers` and `compareScores`: from generated texts to measures with intervals. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchmarkName } from '../benchmarks/benchmark.ts';
import { changesOf, deltasOf, measuresOf, testsOf } from '../benchmarks/measures.ts';
import { benchmarkOf } from '../benchmarks/registry.ts';
import type { BootstrapOptions } from '../benchmarks/statistics.ts';
import { type Activities, CompareScoresInput, ScoreAnswersInput } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { type Comparison, ScoredItem, Scores } from '../contract/measures.ts';
import { Generation, ImageRecord, QuestionRecord, SceneTruth } from '../contract/records.ts';
import { canonicalJson } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor } from '../store/random.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { readRunConfig } from './prepare-run.ts';
import { finishedShard } from './shard-plan.ts';

const STAGE_VERSION = 1;
/** 2: with the tests of the differences. */
const COMPARISON_VERSION = 2;

export function scoringActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'scoreAnswers' | 'compareScores'> {
  return {
    async scoreAnswers(input) {
      const { set: name, answers, dar_answers } = ScoreAnswersInput.parse(input);
      const run = await readRunConfig(deps.store, answers.config);
      const set = run.config.evaluation.sets.find((candidate) => candidate.name === name);
      if (set === undefined)
        throw new SticflowError('ConfigInvalid', `No evaluation set "${name}".`);
      const generations: ArtifactRef[] = [];
      for (const shards of dar_answers === null ? [answers] : [answers, dar_answers]) {
        for (let shard = 0; shard < shards.num_shards; shard += 1) {
          generations.push((await finishedShard(deps.store, run, shards, shard)).generations);
        }
      }
      const options = bootstrap(run.config, name);
      const spec = {
        kind: 'scores' as const,
        inputs: [answers.source, ...generations],
        parameters: { set: name, benchmark: set.benchmark, ...options },
        version: STAGE_VERSION,
      };
      const scores = await deps.store.build(spec, async (directory) => {
        const items = await scoreItems(deps.store, {
          source: answers.source,
          generations,
          benchmark: set.benchmark,
          modes: [
            ...(run.config.evaluation.describe_and_respond === 'on' ? [] : (['direct'] as const)),
            ...(dar_answers === null ? [] : (['dar'] as const)),
          ],
        });
        const answersOnly = items.filter((item) => item.type === 'answer');
        const document: Scores = {
          set: name,
          benchmark: set.benchmark,
          measures: measuresOf(items, options),
          num_images: new Set(items.map(({ image_id }) => image_id)).size,
          num_questions: new Set(
            answersOnly.map(({ item_id }) => item_id.replace(/\/(direct|dar)$/, '')),
          ).size,
          num_unparsed: answersOnly.filter(({ parsed }) => parsed === null).length,
        };
        await writeFile(join(directory, 'scores.json'), `${canonicalJson(document)}\n`);
        return await writeLines(join(directory, 'items.jsonl'), items);
      });
      return { scores };
    },

    async compareScores(input) {
      const { config: ref, from, to, measure } = CompareScoresInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const { set, measures } = await deps.store.readJson(to, 'scores.json', Scores);
      const options = bootstrap(config, set);
      const before = await readItems(deps.store, from);
      const after = await readItems(deps.store, to);
      const deltas = deltasOf(before, after, options);
      const spec = {
        kind: 'comparison' as const,
        inputs: [from, to],
        parameters: { measure, ...options },
        version: COMPARISON_VERSION,
      };
      const comparison = await deps.store.build(spec, async (directory) => {
        const document: Comparison = {
          set,
          deltas,
          tests: testsOf(before, after, options),
          ...changesOf(before, after, measure),
        };
        await writeFile(join(directory, 'comparison.json'), `${canonicalJson(document)}\n`);
        return 0;
      });
      return {
        comparison,
        delta: deltas[measure] ?? null,
        value: measures[measure]?.value ?? null,
      };
    },
  };
}

/** How intervals of a set are made; a stream of draws for each set. */
export function bootstrap(
  config: ExperimentConfig,
  set: string,
): BootstrapOptions & { [key: string]: number } {
  return {
    num_resamples: config.evaluation.num_bootstrap,
    // One stream for all policies: resamples of paired comparisons must be the same images.
    seed: seedFor(config.seed, 'bootstrap', set) % 2 ** 31,
  };
}

export async function readItems(store: Store, scores: ArtifactRef): Promise<ScoredItem[]> {
  const items: ScoredItem[] = [];
  for await (const item of store.readLines(scores, 'items.jsonl', ScoredItem)) items.push(item);
  return items;
}

interface Answered {
  readonly source: ArtifactRef;
  readonly generations: readonly ArtifactRef[];
  readonly benchmark: BenchmarkName;
  /** How every question was answered. */
  readonly modes: readonly ('direct' | 'dar')[];
}

async function scoreItems(
  store: Store,
  { source, generations, benchmark: name, modes }: Answered,
): Promise<ScoredItem[]> {
  const benchmark = benchmarkOf(name);
  const texts = new Map<string, string>();
  for (const ref of generations) {
    for await (const { request_id, text } of store.readLines(
      ref,
      'generations.jsonl',
      Generation,
    )) {
      texts.set(request_id, text);
    }
  }
  const items: ScoredItem[] = [];
  for await (const question of store.readLines(source, 'questions.jsonl', QuestionRecord)) {
    for (const mode of modes) {
      const item_id = `${question.question_id}/${mode}`;
      const text = required(texts, item_id);
      const { image_id, question_type, answer: expected } = question;
      const { parsed, score } = benchmark.scoreAnswer(question, text);
      items.push({
        type: 'answer',
        item_id,
        image_id,
        mode,
        question: question.question,
        question_type,
        expected,
        text,
        parsed,
        score,
      });
    }
  }
  const { scoreDescription } = benchmark;
  if (scoreDescription === null) return items;
  const truths = new Map<string, SceneTruth>();
  for await (const truth of store.readLines(source, 'truth.jsonl', SceneTruth))
    truths.set(truth.image_id, truth);
  for await (const { image_id } of store.readLines(source, 'images.jsonl', ImageRecord)) {
    const item_id = `${image_id}/description`;
    const truth = truths.get(image_id);
    if (truth === undefined) continue;
    const text = required(texts, item_id);
    const { num_true, num_claimed, num_right } = scoreDescription(truth, text);
    items.push({
      type: 'description',
      item_id,
      image_id,
      text,
      num_true_objects: num_true,
      num_described: num_claimed,
      num_correct: num_right,
      hallucinated: num_right < num_claimed,
    });
  }
  return items;
}

/** A text that is not there is a fault, never a wrong answer. */
function required(texts: ReadonlyMap<string, string>, id: string): string {
  const text = texts.get(id);
  if (text !== undefined) return text;
  throw new SticflowError('DataInvalid', `Expected a text for the request ${id}, found none.`);
}
