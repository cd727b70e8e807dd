/** What a run of a config will do, stage by stage: items, texts to generate, optimizer steps. Pure. */
import type { Stage } from '../../contract/api.ts';
import type { ExperimentConfig } from '../../contract/config.ts';
import {
  QUESTION_STRATEGIES,
  textsPerItem,
  trainingsOf,
} from '../../contract/config-strategies.ts';

/** What the sources of a config hold; null = not counted. */
export interface SourceCounts {
  readonly images: number | null;
  readonly instructions: number | null;
  /** By name of the evaluation set. */
  readonly sets: ReadonlyMap<string, SetCounts>;
}

export interface SetCounts {
  readonly images: number;
  readonly questions: number;
}

/** One stage of one round; null = depends on what was not counted, or the stage has none. */
export interface PlannedStage {
  readonly round: number;
  readonly stage: Stage;
  /** Images, pairs, examples or questions; the most there can be. */
  readonly items: number | null;
  readonly texts: number | null;
  readonly optimizer_steps: number | null;
}

/** All stages of all rounds. Quarantined and dropped items make the real numbers smaller. */
export function plannedStages(config: ExperimentConfig, counts: SourceCounts): PlannedStage[] {
  return Array.from({ length: config.rounds }, (_, index) => index + 1).flatMap((round) => [
    ...preferenceStages(config, counts, round),
    ...infusionStages(config, counts, round),
    ...evaluationStages(config, counts, round),
  ]);
}

/** Sum of one column; null when any of its stages was not counted. */
export function totalOf(
  stages: readonly PlannedStage[],
  column: 'texts' | 'optimizer_steps',
  made: (stage: Stage) => boolean,
): number | null {
  return stages
    .filter(({ stage }) => made(stage))
    .reduce<number | null>((sum, stage) => plus(sum, stage[column]), 0);
}

function preferenceStages(
  config: ExperimentConfig,
  { images, instructions }: SourceCounts,
  round: number,
): PlannedStage[] {
  if (!config.training_stages.includes('preference_training')) return [];
  // Questions are counted by their records: with turns: every there are more.
  const items = QUESTION_STRATEGIES.includes(config.strategy)
    ? least(instructions, config.infusion?.num_examples ?? null)
    : least(least(images, config.images.max_images), config.preference.images_per_round);
  const texts = times(items, textsPerItem(config));
  return [
    { round, stage: 'preference', items, texts, optimizer_steps: null },
    training(config, 'preference_training', round, items),
  ];
}

function infusionStages(
  config: ExperimentConfig,
  { instructions }: SourceCounts,
  round: number,
): PlannedStage[] {
  const { infusion } = config;
  if (infusion === null || !config.training_stages.includes('infused_training')) return [];
  const items = least(instructions, infusion.num_examples);
  const texts = infusion.describe === 'policy' ? items : 0;
  return [
    { round, stage: 'infusion', items, texts, optimizer_steps: null },
    ...(trainingsOf(config).includes('infused_training')
      ? [training(config, 'infused_training', round, items)]
      : []),
  ];
}

function training(
  config: ExperimentConfig,
  stage: 'preference_training' | 'infused_training',
  round: number,
  items: number | null,
): PlannedStage {
  const { num_epochs, global_batch_size } = config[stage];
  const optimizer_steps =
    items === null ? null : Math.ceil(Math.round(items * num_epochs) / global_batch_size);
  return { round, stage, items, texts: null, optimizer_steps };
}

function evaluationStages(
  config: ExperimentConfig,
  { sets }: SourceCounts,
  round: number,
): PlannedStage[] {
  const { evaluation } = config;
  const trainings = trainingsOf(config);
  const policies = evaluation.policies.filter((policy) =>
    // From the second round on, the policy at the start has been evaluated at the end of the one before.
    policy === 'base' ? round === 1 : trainings.includes(policy),
  ).length;
  if (evaluation.sets.length === 0 || policies === 0) return [];
  let items: number | null = 0;
  let texts: number | null = 0;
  for (const set of evaluation.sets) {
    const counted = limited(sets.get(set.name), set.max_images);
    const direct = evaluation.describe_and_respond === 'on' ? 0 : (counted?.questions ?? null);
    // Describe and respond: a description of each image, and an answer to each question.
    const described =
      evaluation.describe_and_respond === 'off'
        ? 0
        : counted === undefined
          ? null
          : counted.images + counted.questions;
    items = plus(items, counted?.questions ?? null);
    texts = plus(texts, times(plus(direct, described), policies));
  }
  return [{ round, stage: 'evaluation', items, texts, optimizer_steps: null }];
}

/** A draw of images takes its share of the questions along. */
function limited(counts: SetCounts | undefined, maxImages: number | null): SetCounts | undefined {
  if (counts === undefined || maxImages === null || counts.images <= maxImages) return counts;
  const questions = Math.round((counts.questions * maxImages) / counts.images);
  return { images: maxImages, questions };
}

/** The smaller of a count and a limit; without a count the limit is all that is known. */
function least(count: number | null, limit: number | null): number | null {
  if (count === null || limit === null) return count ?? limit;
  return Math.min(count, limit);
}

function plus(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}

function times(count: number | null, factor: number): number | null {
  return count === null ? null : count * factor;
}
