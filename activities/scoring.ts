/** `scoreAnswers` and `compareScores`: from generated texts to measures with intervals. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { contaminationOf } from '../benchmarks/contamination.ts';
import { changesOf, deltasOf, measuresOf, testsOf } from '../benchmarks/measures.ts';
import type { BootstrapOptions } from '../benchmarks/statistics.ts';
import {
  type Activities,
  CompareScoresInput,
  type CompareScoresOutput,
  ScoreAnswersInput,
  type ScoreAnswersOutput,
} from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { isOfficialBenchmark } from '../contract/config-evaluation.ts';
import { JudgedBenchmark } from '../contract/config-judge.ts';
import { Judging } from '../contract/judgements.ts';
import { type Comparison, type Contamination, ScoredItem, Scores } from '../contract/measures.ts';
import { ImageRecord } from '../contract/records.ts';
import { canonicalJson } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor } from '../store/random.ts';
import type { Store } from '../store/store.ts';
import { conditionsOf, readAnswered } from './answered.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { scoreOfficial } from './official-scoring.ts';
import { type Scoring, scoreOwn } from './own-scoring.ts';
import { readRunConfig } from './prepare-run.ts';
import { trainedOn } from './trained-on.ts';

/** 2: with prompts, descriptions and conditions. */
const SCORES_VERSION = 2;
/** 2: with the tests of the differences. */
const COMPARISON_VERSION = 2;

export function scoringActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'scoreAnswers' | 'compareScores'> {
  return {
    scoreAnswers: async (input) => {
      const asked = ScoreAnswersInput.parse(input);
      const scores = await scoreAnswers(deps.store, asked);
      return { scores, to_judge: await waitingForJudge(deps.store, asked, scores) };
    },
    compareScores: async (input) =>
      await compareScores(deps.store, CompareScoresInput.parse(input)),
  };
}

async function scoreAnswers(
  store: Store,
  {
    set: name,
    answers,
    dar_answers,
    training_images: ofRun,
    judgements = [],
  }: z.infer<typeof ScoreAnswersInput>,
): Promise<ArtifactRef> {
  const { images, instructions } = trainedOn(store, answers.policy);
  // An evaluation trains on nothing itself; what it measures may come from a run that does.
  const training_images = ofRun.length === 0 ? images : ofRun;
  const run = await readRunConfig(store, answers.config);
  const set = run.config.evaluation.sets.find((candidate) => candidate.name === name);
  if (set === undefined) throw new SticflowError('ConfigInvalid', `No evaluation set "${name}".`);
  const { benchmark } = set;
  const fanOuts = dar_answers === null ? [answers] : [answers, dar_answers];
  const answered = await readAnswered(store, run, fanOuts);
  const { template_sha256 } = answered;
  const judge = await judgeLabel(store, judgements);
  const conditions = await conditionsOf(store, run, { answers, template_sha256, judge });
  const options = bootstrap(run.config, name);
  const spec = {
    kind: 'scores' as const,
    inputs: [
      answers.source,
      ...answered.inputs,
      ...training_images,
      ...instructions,
      ...judgements.map((judged) => judged.judgements),
    ],
    parameters: { set: name, benchmark, ...options, conditions },
    version: SCORES_VERSION,
  };
  return await store.build(spec, async (directory) => {
    const scoring: Scoring = {
      source: answers.source,
      answered,
      modes: [
        ...(run.config.evaluation.describe_and_respond === 'on' ? [] : (['direct'] as const)),
        ...(dar_answers === null ? [] : (['dar'] as const)),
      ],
      judgements: new Map(judgements.map((judged) => [judged.mode, judged.judgements])),
    };
    const { items, figures } = isOfficialBenchmark(benchmark)
      ? await scoreOfficial(store, benchmark, scoring, directory)
      : { items: await scoreOwn(store, benchmark, scoring), figures: [] };
    const ofInstructions = await contaminationBy(store, answers.source, instructions);
    const document: Scores = {
      set: name,
      benchmark,
      measures: measuresOf(items, { ...options, benchmark }),
      ...sizesOf(items),
      figures: [...figures],
      contamination: await contaminationBy(store, answers.source, training_images),
      ...(ofInstructions === null ? {} : { instruction_contamination: ofInstructions }),
      conditions,
    };
    await writeFile(join(directory, 'scores.json'), `${canonicalJson(document)}\n`);
    return await writeLines(join(directory, 'items.jsonl'), items);
  });
}

/** The answers files for a judge, where the config has one and nothing is judged yet. */
async function waitingForJudge(
  store: Store,
  { answers, judgements }: z.infer<typeof ScoreAnswersInput>,
  scores: ArtifactRef,
): Promise<NonNullable<z.infer<typeof ScoreAnswersOutput>['to_judge']>> {
  const { config } = await readRunConfig(store, answers.config);
  const judge = config.evaluation.judge?.kind ?? 'none';
  if (judgements !== undefined || judge === 'none') return [];
  const { benchmark, figures } = await store.readJson(scores, 'scores.json', Scores);
  const judged = JudgedBenchmark.safeParse(benchmark);
  if (!judged.success) return [];
  return figures.map(({ mode, answers_file }) => ({ mode, benchmark: judged.data, answers_file }));
}

/** null = nobody judged; both modes have the same judge but for what the server served. */
async function judgeLabel(
  store: Store,
  judgements: NonNullable<z.infer<typeof ScoreAnswersInput>['judgements']>,
): Promise<string | null> {
  const labels = new Set<string>();
  for (const { judgements: ref } of judgements) {
    labels.add((await store.readJson(ref, 'judging.json', Judging)).judge.label);
  }
  return labels.size === 0 ? null : [...labels].sort().join(' and ');
}

async function compareScores(
  store: Store,
  { config: ref, from, to, measure }: z.infer<typeof CompareScoresInput>,
): Promise<z.infer<typeof CompareScoresOutput>> {
  const { config } = await readRunConfig(store, ref);
  const { set, benchmark, measures } = await store.readJson(to, 'scores.json', Scores);
  const resampling = bootstrap(config, set);
  const options = { ...resampling, benchmark };
  const before = await readItems(store, from);
  const after = await readItems(store, to);
  const deltas = deltasOf(before, after, options);
  const spec = {
    kind: 'comparison' as const,
    inputs: [from, to],
    parameters: { measure, ...resampling },
    version: COMPARISON_VERSION,
  };
  const comparison = await store.build(spec, async (directory) => {
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

async function contaminationBy(
  store: Store,
  evaluationSet: ArtifactRef,
  training: readonly ArtifactRef[],
): Promise<Contamination | null> {
  if (training.length === 0) return null;
  const imagesOf = async (ref: ArtifactRef): Promise<ImageRecord[]> =>
    await collected(store.readLines(ref, 'images.jsonl', ImageRecord));
  const trained = (await Promise.all(training.map(imagesOf))).flat();
  return contaminationOf(trained, await imagesOf(evaluationSet));
}

function sizesOf(
  items: readonly ScoredItem[],
): Pick<Scores, 'num_images' | 'num_questions' | 'num_unparsed'> {
  const answers = items.filter((item) => item.type === 'answer');
  const images = items.flatMap(({ image_id }) => image_id ?? []);
  const questions = answers.map(({ item_id }) => item_id.replace(/\/(direct|dar)$/, ''));
  return {
    num_images: new Set(images).size,
    num_questions: new Set(questions).size,
    num_unparsed: answers.filter(({ parsed, score }) => parsed === null && score !== null).length,
  };
}
