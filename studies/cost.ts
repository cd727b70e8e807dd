/** What a study will take, from its configs alone: counts first, time by a stated rate. Pure. */
import type { ExperimentConfig } from '../contract/config.ts';
import { QUESTION_STRATEGIES, textsPerItem, trainingsOf } from '../contract/config-strategies.ts';
import type { PaperResults } from '../contract/paper-results.ts';
import type { PlannedRun } from '../contract/study.ts';

/** Work of all runs; what runs share is counted once for each, so it is an upper bound. */
export interface StudyWork {
  readonly num_runs: number;
  readonly num_unavailable: number;
  /** Descriptions written for preference pairs and for infusion. */
  readonly num_texts: number;
  /** Pairs and examples trained on. */
  readonly num_examples: number;
  /** Policies times evaluation sets, rounds counted. */
  readonly num_evaluations: number;
  /** Images of all evaluations; each has some questions, with and without a description. */
  readonly num_evaluated_images: number;
}

/** The paper's own run: 6k pairs (two texts each), 5k descriptions, 5k examples. */
const PAPER_WORK = { num_texts: 17_000, num_examples: 11_000 };

/**
 * Seconds of one core for the embedded model: a text of a pair, an example of a training, an image of an
 * evaluation (eleven texts), and importing torch anew after each training. From quick runs of table2,
 * 75 s of processor time each (docs/studies-results.md); busy machines take longer.
 */
const SCENES_SECONDS = { text: 0.02, example: 0.06, evaluated_image: 0.05, run: 20 };

/** Images of a set that names no limit: the embedded world's test set. */
const IMAGES_OF_A_SET = 240;

/** `numImages` of the unlabelled images where the config takes them all: not known before ingest. */
export function workOf(runs: readonly PlannedRun[], numImages: number): StudyWork {
  const configs = runs.flatMap(({ config }) => (config === null ? [] : [config]));
  return {
    num_runs: configs.length,
    num_unavailable: runs.length - configs.length,
    num_texts: sum(configs.map((config) => textsOf(config, numImages))),
    num_examples: sum(configs.map((config) => examplesOf(config, numImages))),
    num_evaluations: sum(configs.map(evaluationsOf)),
    num_evaluated_images: sum(configs.map(evaluatedImagesOf)),
  };
}

/** Seconds on one thread for the embedded model. */
export function scenesSeconds(work: StudyWork): number {
  const { text, example, evaluated_image, run } = SCENES_SECONDS;
  return (
    work.num_texts * text +
    work.num_examples * example +
    work.num_evaluated_images * evaluated_image +
    work.num_runs * run
  );
}

/**
 * GPU-hours for a 7B checkpoint, scaled from what the paper's run took: half by texts, half by
 * examples, and the paper's hours for each evaluation.
 */
export function gpuHours(
  work: StudyWork,
  { cost }: PaperResults,
): { readonly low: number; readonly high: number } {
  const share =
    (work.num_texts / PAPER_WORK.num_texts + work.num_examples / PAPER_WORK.num_examples) / 2;
  const training = share * cost.gpu_hours_per_run;
  return {
    low: training + work.num_evaluations * cost.evaluation_hours_low,
    high: training + work.num_evaluations * cost.evaluation_hours_high,
  };
}

function textsOf(config: ExperimentConfig, numImages: number): number {
  const { training_stages, infusion, rounds } = config;
  const pairs = training_stages.includes('preference_training') ? pairsOf(config, numImages) : 0;
  const describes = training_stages.includes('infused_training') && infusion?.describe === 'policy';
  return rounds * (textsPerItem(config) * pairs + (describes ? (infusion.num_examples ?? 0) : 0));
}

function examplesOf(config: ExperimentConfig, numImages: number): number {
  const { strategy, training_stages, infusion, rounds, preference_training, infused_training } =
    config;
  const pairs = training_stages.includes('preference_training') ? pairsOf(config, numImages) : 0;
  const examples = training_stages.includes('infused_training') ? (infusion?.num_examples ?? 0) : 0;
  // One training passes over its examples as often as over its pairs.
  const epochs = strategy === 'single-stage' ? preference_training : infused_training;
  return rounds * (pairs * preference_training.num_epochs + examples * epochs.num_epochs);
}

function pairsOf(config: ExperimentConfig, numImages: number): number {
  const { preference, images, infusion, strategy } = config;
  if (QUESTION_STRATEGIES.includes(strategy)) return infusion?.num_examples ?? 0;
  const available = images.max_images ?? numImages;
  return Math.min(preference.images_per_round ?? available, available);
}

function evaluationsOf(config: ExperimentConfig): number {
  return config.evaluation.sets.length * policiesOf(config);
}

function evaluatedImagesOf(config: ExperimentConfig): number {
  const images = config.evaluation.sets.map(({ max_images }) => max_images ?? IMAGES_OF_A_SET);
  return sum(images) * policiesOf(config);
}

/** The base of a round is the end of the one before, so it is evaluated once. */
function policiesOf(config: ExperimentConfig): number {
  const { evaluation, rounds } = config;
  const trained = evaluation.policies.filter((policy) =>
    trainingsOf(config).some((stage) => stage === policy),
  ).length;
  return (evaluation.policies.includes('base') ? 1 : 0) + rounds * trained;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
