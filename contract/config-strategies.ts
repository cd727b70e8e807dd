/**
 * Strategies by name, the knobs that only one of them has, and what each needs of the rest of the config.
 * What they do stands in `activities/strategies/`, one file each.
 */
import { z } from 'zod';
import type { PreferenceConfig } from './config-generation.ts';
import { RICHER_CORRUPTIONS } from './config-rejections.ts';

export const StrategyName = z.enum([
  'stic-paper',
  'stic-released',
  'dpo',
  'positive-only',
  'mdpo',
  'spin',
  'povid',
  'rpo',
  'single-stage',
]);
export type StrategyName = z.infer<typeof StrategyName>;

/** Defects of the authors' code (STIC 993734e), on by default: that is what `stic-released` is for. */
const SticReleasedOptions = z.strictObject({
  rejected_logps: z
    .enum(['alternatives', 'labels'])
    .default('alternatives')
    .describe(
      "dpo_trainer.py:498-545: the model's own likeliest tokens (second where the likeliest is the label) instead of the rejected text",
    ),
  corruption: z
    .enum(['ignored', 'applied'])
    .default('ignored')
    .describe('generate_pref.py:220-222: the flag is set and never passed on'),
  training_image: z
    .enum(['none', 'clean'])
    .default('none')
    .describe('generate_pref.py:227-228: records without <image> train on text alone'),
});

/** mDPO, arXiv:2406.11839: equations 4 to 6; weights 1 and anchor 0 as there. */
const MdpoOptions = z.strictObject({
  image_weight: z.number().min(0).default(1).describe('of the image-conditional term'),
  anchor_weight: z.number().min(0).default(1).describe('of the anchor term'),
  anchor: z.number().default(0).describe('delta: reward that the chosen text is to exceed'),
  contrast: z
    .enum(['pair', ...RICHER_CORRUPTIONS])
    .default('pair')
    .describe(
      "image that the chosen text is to be unlikely on: the pair's own corrupted one (drawn anew where it has none), or one of this kind; the paper crops",
    ),
  contrast_severity: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe('of a named kind; a crop of 0.9 keeps 19 % of the area (paper: at most 20 %)'),
});

const Turns = z
  .enum(['first', 'every'])
  .describe(
    'which questions of a conversation are asked, each alone; later ones may lean on earlier ones',
  );

/** SPIN, arXiv:2401.01335: the answers of an instruction set against the model's own. */
const SpinOptions = z.strictObject({
  turns: Turns.default('first'),
  opponent: z
    .enum(['start', 'base'])
    .default('start')
    .describe(
      'who writes the rejected answers and is the reference: the frozen policy of the round start, as in SPIN, or the base in every round',
    ),
});

/** POVID, arXiv:2402.11411: given answers against the same with hallucinations put in. */
const PovidOptions = z.strictObject({
  turns: Turns.default('first'),
  hallucinations: z
    .enum(['injected', 'given'])
    .default('injected')
    .describe(
      "injected: words changed here; given: `rejected_conversations` of the records, POVID's own format",
    ),
  injection_rate: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe('share of the words that could be changed; one at least'),
  rejected_weight: z.number().min(0).default(0.5).describe('of the term with the rejected answer'),
  noisy_weight: z
    .number()
    .min(0)
    .default(0.5)
    .describe('of the term with the tokens that the noisy image would pick'),
  noise_step: z.int().min(0).max(999).default(500).describe('of 1,000, forward diffusion'),
});

/** Iterative RPO, arXiv:2404.19733: right against wrong answers of the model itself. */
const RpoOptions = z.strictObject({
  turns: Turns.default('first'),
  samples: z.int().min(2).max(64).default(8).describe('answers sampled to a question'),
  pairs_per_question: z.int().min(1).max(64).default(1),
  max_answer_words: z
    .int()
    .min(1)
    .default(3)
    .describe('a question with a longer answer cannot be checked by comparison and is left out'),
  nll_weight: z
    .number()
    .min(0)
    .default(1)
    .describe('of the length-normalised likelihood of the right answer'),
});

/** Ours, after the paper's outlook: both losses in one training. */
const SingleStageOptions = z.strictObject({
  infused_weight: z
    .number()
    .gt(0)
    .default(1)
    .describe('of the infused examples beside the pairs, per example and pair'),
});

export const StrategyOptions = z.strictObject({
  stic_released: SticReleasedOptions.prefault({}),
  mdpo: MdpoOptions.prefault({}),
  // Absent where a config does not speak of them, so that a config with options keeps its run id.
  spin: SpinOptions.optional(),
  povid: PovidOptions.optional(),
  rpo: RpoOptions.optional(),
  single_stage: SingleStageOptions.optional(),
});
export type StrategyOptions = z.infer<typeof StrategyOptions>;

type AllStrategyOptions = {
  readonly [Name in keyof StrategyOptions]-?: NonNullable<StrategyOptions[Name]>;
};

/** The knobs of the strategies, with defaults where the config says nothing. */
export function strategyOptions({
  strategy_options: given,
}: {
  readonly strategy_options?: StrategyOptions | undefined;
}): AllStrategyOptions {
  return {
    ...(given ?? StrategyOptions.parse({})),
    spin: given?.spin ?? SpinOptions.parse({}),
    povid: given?.povid ?? PovidOptions.parse({}),
    rpo: given?.rpo ?? RpoOptions.parse({}),
    single_stage: given?.single_stage ?? SingleStageOptions.parse({}),
  };
}

/** Texts that the model writes about an item of the preference stage, at most. */
export function textsPerItem(config: {
  readonly strategy: StrategyName;
  readonly strategy_options?: StrategyOptions | undefined;
}): number {
  if (config.strategy === 'spin') return 1;
  if (config.strategy === 'povid') return 0;
  if (config.strategy === 'rpo') return strategyOptions(config).rpo.samples;
  // A chosen and a rejected one.
  return 2;
}

/** Strategies whose pairs come from the questions of infusion.instructions; no image is described. */
export const QUESTION_STRATEGIES: readonly StrategyName[] = ['spin', 'povid', 'rpo'];

/** What the rules of strategies look at in a config. */
interface Surroundings {
  readonly strategy: StrategyName;
  readonly training_stages: readonly string[];
  readonly infusion: object | null;
  readonly evaluation: { readonly policies: readonly string[] };
  readonly preference: Pick<
    PreferenceConfig,
    'bad_prompt_ratio' | 'low_resolution_ratio' | 'rejections'
  >;
}

/** The trainings that a round really has: `single-stage` learns what both are for in the first. */
export function trainingsOf<Stage extends string>({
  strategy,
  training_stages,
}: {
  readonly strategy: StrategyName;
  readonly training_stages: readonly Stage[];
}): Stage[] {
  const isOne = strategy === 'single-stage';
  return training_stages.filter((stage) => !isOne || stage !== 'infused_training');
}

/** What a strategy and its pairs need of the rest of a config and do not find. */
export function strategyIssues(
  config: Surroundings,
): (readonly [path: string[], message: string])[] {
  const { strategy, training_stages, infusion, preference, evaluation } = config;
  const found: (readonly [string[], string])[] = [];
  const isLeftOut = training_stages.length > 0 && !training_stages.includes('preference_training');
  if (strategy !== 'stic-paper' && isLeftOut) {
    found.push([
      ['strategy'],
      `"${strategy}" is a way of preference_training, which training_stages leaves out; add the stage or drop the strategy`,
    ]);
  }
  if (QUESTION_STRATEGIES.includes(strategy) && infusion === null) {
    found.push([
      ['infusion'],
      `"${strategy}" learns from questions with known answers; name them in infusion.instructions`,
    ]);
  }
  if (strategy === 'single-stage' && !training_stages.includes('infused_training')) {
    found.push([
      ['strategy'],
      '"single-stage" learns from pairs and infused examples at once; keep both in training_stages',
    ]);
  }
  const isUnseen = !evaluation.policies.some((policy) => policy === 'preference_training');
  if (strategy === 'single-stage' && isUnseen && evaluation.policies.includes('infused_training')) {
    found.push([
      ['evaluation', 'policies'],
      'the one policy that "single-stage" trains is preference_training; name it instead of infused_training',
    ]);
  }
  for (const ratio of ['bad_prompt_ratio', 'low_resolution_ratio'] as const) {
    if (preference.rejections === undefined || preference[ratio] === 0.5) continue;
    found.push([
      ['preference', ratio],
      'is not read where preference.rejections.weights has the shares; set them there and drop this',
    ]);
  }
  return found;
}
