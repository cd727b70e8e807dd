/**
 * An official benchmark as an evaluation set: its questions by the official text, its images, and below
 * `scoring/` all that its scorer reads, so that the user's folder is read here and never again.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { type AnswerSheet, blankSheet } from '../benchmarks/answer-sheet.ts';
import { drawStratified } from '../benchmarks/draw.ts';
import type { BenchmarkLoader, BenchmarkQuestion, LoadedBenchmark } from '../benchmarks/loader.ts';
import { familyOf, narrowScoringData } from '../benchmarks/narrow.ts';
import { ScoreInputError } from '../benchmarks/scorer.ts';
import type { PrepareEvaluationSetOutput } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { EvaluationSetConfig, OfficialBenchmark } from '../contract/config-evaluation.ts';
import { QuestionRecord } from '../contract/records.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor, shuffledOrder } from '../store/random.ts';
import { resolveSource } from '../store/sources.ts';
import type { ActivityDependencies } from './context.ts';
import { buildImageArtifact } from './image-artifact.ts';
import { imageIdsByName } from './image-intake.ts';
import type { ReadableImage } from './image-sources.ts';

/** 2: with the difference hash of every image. */
const STAGE_VERSION = 2;

/** Folder of the scorer's annotation files inside an evaluation set. */
export const SCORING_FILES = 'scoring';
/** The answers file with blanks, in the order of `questions.jsonl`. */
export const ANSWER_SHEET = 'answer-sheet.json';

interface OfficialSet {
  readonly set: EvaluationSetConfig;
  readonly benchmark: OfficialBenchmark;
  readonly load: BenchmarkLoader | undefined;
}

/** @throws SticflowError `DataInvalid` when the user's files are missing or broken */
export async function prepareOfficialSet(
  deps: ActivityDependencies,
  config: ExperimentConfig,
  official: OfficialSet,
): Promise<z.infer<typeof PrepareEvaluationSetOutput>> {
  const { set, benchmark } = official;
  const loaded = await loadedBenchmark(deps, official);
  const seed = seedFor(config.seed, 'evaluation', set.name);
  const questions = drawnQuestions(loaded.questions, official, seed);
  const { ref: evaluation_set, counts } = await buildImageArtifact(deps, {
    kind: 'evaluation_set',
    version: STAGE_VERSION,
    what: `images of the evaluation set ${set.name}`,
    listing: { candidates: imagesOf(questions), quarantined: [], num_ignored: 0 },
    images: config.images,
    parameters: { benchmark, content: contentOf(loaded, questions) },
    write: async (directory, intake) => {
      const ids = imageIdsByName(intake);
      const kept = questions.filter(({ image }) => image === null || ids.has(image.name));
      const records = kept.map((question) => recordOf(question, ids));
      await writeLines(join(directory, 'questions.jsonl'), records);
      await writeLines(join(directory, 'truth.jsonl'), []);
      await writeScoring(directory, loaded, { benchmark, kept });
      return intake.images.length;
    },
  });
  const asked = await numQuestions(deps, evaluation_set);
  return { evaluation_set, counts: { ...counts, ...asked } };
}

/** Texts are joined by id: a repeated one would be scored with another question's text. */
export function refuseRepeatedIds(
  set: string,
  lines: readonly { readonly question_id: string }[],
): void {
  const seen = new Set<string>();
  for (const { question_id } of lines) {
    if (seen.has(question_id)) {
      throw new SticflowError(
        'DataInvalid',
        `Expected each question_id of the evaluation set ${set} once, "${question_id}" is there twice.`,
      );
    }
    seen.add(question_id);
  }
}

async function loadedBenchmark(
  { workspace }: ActivityDependencies,
  { set, benchmark, load }: OfficialSet,
): Promise<LoadedBenchmark> {
  if (load === undefined || set.data === undefined) {
    throw new SticflowError(
      'ConfigInvalid',
      `Expected the evaluation set ${set.name} to name a folder and a benchmark that can be loaded, got ${benchmark}.`,
    );
  }
  try {
    const loaded = await load(await resolveSource(workspace, set.data));
    refuseRepeatedIds(set.name, loaded.questions);
    if (loaded.questions.length > 0) return loaded;
  } catch (error) {
    if (!(error instanceof ScoreInputError)) throw error;
    throw new SticflowError('DataInvalid', `${set.name}: ${error.message}`, { cause: error });
  }
  throw new SticflowError(
    'DataInvalid',
    `Expected questions of ${benchmark}, its files have none.`,
  );
}

/** A seeded sample: by question or by image, each type with its share. */
function drawnQuestions(
  questions: readonly BenchmarkQuestion[],
  { set, benchmark }: OfficialSet,
  seed: number,
): BenchmarkQuestion[] {
  const byImage = drawnBy(questions, set.max_images ?? Number.POSITIVE_INFINITY, {
    // Questions about text alone are not drawn by image: each is a unit that stays.
    unitOf: ({ image }) => image?.name ?? null,
    seed: seedFor(seed, 'images'),
  });
  return drawnBy(byImage, set.max_questions ?? Number.POSITIVE_INFINITY, {
    unitOf: ({ question_id }) => familyOf(benchmark, question_id),
    seed: seedFor(seed, 'questions'),
  });
}

interface Drawing {
  /** Questions of one unit are drawn together; null = always kept. */
  readonly unitOf: (question: BenchmarkQuestion) => string | null;
  readonly seed: number;
}

function drawnBy(
  questions: readonly BenchmarkQuestion[],
  limit: number,
  { unitOf, seed }: Drawing,
): BenchmarkQuestion[] {
  const types = new Map<string, string>();
  for (const question of questions) {
    const unit = unitOf(question);
    if (unit !== null && !types.has(unit)) types.set(unit, question.question_type);
  }
  const units = [...types].map(([unit, type]) => ({ unit, type }));
  const places = drawStratified(units, limit, (type, n) => shuffledOrder(seedFor(seed, type), n));
  const drawn = new Set(places.map((place) => units[place]?.unit));
  return questions.filter((question) => {
    const unit = unitOf(question);
    return unit === null || drawn.has(unit);
  });
}

/** Every picture once, in the order of the questions. */
function imagesOf(questions: readonly BenchmarkQuestion[]): ReadableImage[] {
  const images = new Map<string, ReadableImage>();
  for (const { image } of questions) {
    if (image === null || images.has(image.name)) continue;
    images.set(image.name, { source_name: image.name, read: image.read });
  }
  return [...images.values()];
}

/** Digest of all that the files of the set are made from, beside the images. */
function contentOf(loaded: LoadedBenchmark, questions: readonly BenchmarkQuestion[]): string {
  const asked = questions.map(({ image, ...question }) => ({
    ...question,
    image: image?.name ?? null,
  }));
  const sheet = blankSheet(loaded, questions);
  return sha256Hex(canonicalJson([asked, [...loaded.scoringData], { ...sheet }]));
}

function recordOf(
  { question_id, image, prompt, question_type, answer, max_new_tokens }: BenchmarkQuestion,
  ids: ReadonlyMap<string, string>,
): QuestionRecord {
  return {
    question_id,
    image_id: image === null ? null : (ids.get(image.name) ?? null),
    question: prompt,
    answer: answer ?? '',
    question_type,
    max_new_tokens,
  };
}

async function writeScoring(
  directory: string,
  loaded: LoadedBenchmark,
  { benchmark, kept }: { benchmark: OfficialBenchmark; kept: readonly BenchmarkQuestion[] },
): Promise<void> {
  const ids = new Set(kept.map(({ question_id }) => question_id));
  for (const [name, text] of narrowScoringData(benchmark, loaded.scoringData, ids)) {
    const file = join(directory, SCORING_FILES, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  await mkdir(join(directory, SCORING_FILES), { recursive: true });
  const sheet: AnswerSheet = blankSheet(loaded, kept);
  await writeFile(join(directory, ANSWER_SHEET), `${canonicalJson({ ...sheet })}\n`);
}

async function numQuestions(
  { store }: ActivityDependencies,
  evaluation_set: ArtifactRef,
): Promise<{ questions: number; text_questions: number }> {
  let [questions, text_questions] = [0, 0];
  for await (const { image_id } of store.readLines(
    evaluation_set,
    'questions.jsonl',
    QuestionRecord,
  )) {
    questions += 1;
    if (image_id === null) text_questions += 1;
  }
  return { questions, text_questions };
}
