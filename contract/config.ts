/**
 * ExperimentConfig: every knob of a run, its unit, default and origin. Defaults are filled here
 * and nowhere else; TypeScript, YAML, the model process and the report use these names.
 *
 * "STIC code" is github.com/yihedeng9/STIC at 993734e; "paper" is arXiv:2405.19716.
 */
import { z } from 'zod';
import { DecisionConfig, EvaluationConfig, evaluationSetIssues } from './config-evaluation.ts';
import { GenerationConfig, PreferenceConfig } from './config-generation.ts';
import { StrategyName, StrategyOptions, strategyIssues, trainingsOf } from './config-strategies.ts';
import {
  finetuningIssues,
  hostIssues,
  InfusedTrainingConfig,
  InfusionConfig,
  loraIssues,
  PreferenceTrainingConfig,
  parallelismIssues,
} from './config-training.ts';
import { ModelSource, SourceRef } from './source.ts';

export const ModelConfig = z.strictObject({
  source: ModelSource.describe('checkpoint folder (path in YAML) or hub:<owner>/<name>@<commit>'),
  dtype: z
    .enum(['float32', 'bfloat16', 'float16'])
    .default('bfloat16')
    .describe('weights in memory; STIC code: bf16'),
  device: z.enum(['auto', 'cpu', 'cuda']).default('auto'),
  num_threads: z
    .int()
    .min(1)
    .max(256)
    .nullable()
    .default(null)
    .describe(
      'CPU threads of the model process; null = cores this process may use. Part of exactness',
    ),
  image_backend: z
    .enum(['pil', 'torchvision'])
    .default('pil')
    .describe('image processor implementation; the two resize differently'),
  quantization: z
    .enum(['nf4'])
    .optional()
    .describe(
      'nf4 = the language model in 4 bits, for every policy of the run (QLoRA, arXiv:2305.14314); absent = none',
    ),
  feature_cache_bytes: z
    .int()
    .min(1_000_000)
    .optional()
    .describe(
      'disk for features of images in the workspace, kept over epochs, stages, rounds and runs; not part of the result; absent = none',
    ),
  adapter: SourceRef.optional().describe(
    'PEFT folder on top of the checkpoint (path in YAML); evaluations only',
  ),
});

export type ModelConfig = z.infer<typeof ModelConfig>;

export const ImagesConfig = z.strictObject({
  source: SourceRef.nullable().describe(
    'folder, glob, or JSON/JSONL list of unlabelled images (path in YAML); null = none, to evaluate only',
  ),
  max_images: z.int().positive().nullable().default(null).describe('seeded draw; null = all'),
  max_bad_ratio: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('share of quarantined files above which the run fails'),
  max_pixels: z
    .int()
    .positive()
    .max(200_000_000)
    .default(50_000_000)
    .describe('pixels; more is quarantined'),
  max_size_bytes: z.int().positive().default(33_554_432).describe('file size; more is quarantined'),
  max_aspect_ratio: z
    .number()
    .min(1)
    .default(50)
    .describe('longer over shorter side; more is quarantined, processors would blow it up'),
  max_side_pixels: z
    .int()
    .min(64)
    .default(4096)
    .describe('longer sides are scaled down once, at ingest'),
});

export type ImagesConfig = z.infer<typeof ImagesConfig>;

const ALL_TRAINING_STAGES = ['preference_training', 'infused_training'] as const;

const ExperimentFields = z.strictObject({
  schema_version: z.literal(1).default(1),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected 1-40 of a-z, 0-9 and -')
    .describe('first part of the run id'),
  strategy: StrategyName.default('stic-paper').describe(
    'how pairs are made and which loss is used; docs/strategies.md',
  ),
  strategy_options: StrategyOptions.optional().describe(
    'knobs that one strategy has, by its name; absent = their defaults',
  ),
  seed: z.int().min(0).max(2_147_483_647).default(0).describe('root of all randomness'),
  rounds: z.int().min(1).max(50).default(1).describe('passes of self-training; the paper has 1'),
  training_stages: z
    .array(z.enum(ALL_TRAINING_STAGES))
    .default([...ALL_TRAINING_STAGES])
    .describe('which trainings a round has; an ablation drops one, none = evaluate the model only'),
  model: ModelConfig,
  images: ImagesConfig,
  prompts: SourceRef.default('builtin:prompts/stic').describe('prompt file (path in YAML)'),
  generation: GenerationConfig.prefault({}),
  preference: PreferenceConfig.prefault({}),
  preference_training: PreferenceTrainingConfig.prefault({}),
  infusion: InfusionConfig.nullable().default(null).describe('needed by infused_training'),
  infused_training: InfusedTrainingConfig.prefault({}),
  evaluation: EvaluationConfig.prefault({}),
  decision: DecisionConfig.prefault({}),
});

/** The whole configuration of a run, after defaults; rules across fields are checked with it. */
export const ExperimentConfig = ExperimentFields.superRefine(checkAcrossFields);
export type ExperimentConfig = z.infer<typeof ExperimentConfig>;
export type ExperimentConfigInput = z.input<typeof ExperimentConfig>;

function checkAcrossFields(
  config: z.infer<typeof ExperimentFields>,
  context: z.RefinementCtx,
): void {
  const issue = (path: (string | number)[], message: string): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  if (config.training_stages.includes('infused_training') && config.infusion === null) {
    issue(
      ['infusion'],
      'infused_training needs infusion.instructions; add it or drop the stage from training_stages',
    );
  }
  for (const [path, message] of [...evaluationOnlyIssues(config), ...engineIssues(config)]) {
    issue(path, message);
  }
  if (config.model.dtype === 'float16') {
    issue(
      ['model', 'dtype'],
      'float16 cannot train: its gradients vanish or overflow; use bfloat16 or float32',
    );
  }
  for (const [path, message] of strategyIssues(config)) issue(path, message);
  for (const stage of config.training_stages) {
    for (const [path, message] of loraIssues(stage, config[stage].lora)) issue(path, message);
    for (const [path, message] of parallelismIssues(stage, config)) issue(path, message);
    for (const [path, message] of hostIssues(stage, config[stage])) issue(path, message);
    for (const [path, message] of finetuningIssues(stage, config)) issue(path, message);
    const { global_batch_size, micro_batch_size } = config[stage];
    if (global_batch_size % micro_batch_size !== 0) {
      issue(
        [stage, 'micro_batch_size'],
        `must divide global_batch_size ${String(global_batch_size)}`,
      );
    }
  }
  const names = config.evaluation.sets.map((set) => set.name);
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index)
      issue(['evaluation', 'sets', index, 'name'], `"${name}" is used twice`);
  });
  if (config.decision.set !== null && !names.includes(config.decision.set)) {
    issue(
      ['decision', 'set'],
      `names no evaluation set; the sets are: ${names.join(', ') || '(none)'}`,
    );
  }
  config.evaluation.sets.forEach((set, index) => {
    for (const { key, message } of evaluationSetIssues(set)) {
      issue(['evaluation', 'sets', index, key], message);
    }
  });
}

function engineIssues(
  config: z.infer<typeof ExperimentFields>,
): [path: string[], message: string][] {
  const found: [string[], string][] = [];
  const { engine = 'hf', openai } = config.generation;
  const user = firstUserOfAdapters(config);
  if (engine === 'openai' && openai?.adapter_model === null && user !== null) {
    const message = `${user} makes texts with a trained adapter, but adapter_model is null; say how the endpoint names adapters, such as "{sha256}"`;
    found.push([['generation', 'openai'], message]);
  }
  for (const stage of config.training_stages) {
    if (engine !== 'vllm' || config[stage].lora.use_dora !== true) continue;
    const message =
      'vllm serves no DoRA adapters; set generation.engine to hf, or drop use_dora (use_rslora is served)';
    found.push([[stage, 'lora', 'use_dora'], message]);
  }
  if (engine !== 'hf' && config.model.quantization !== undefined) {
    const message = `${engine} serves the base as its checkpoint has it, not the quantised one that is trained on; set it to hf, or drop model.quantization`;
    found.push([['generation', 'engine'], message]);
  }
  for (const stage of config.training_stages) {
    if (engine === 'hf' || config[stage].finetuning !== 'full') continue;
    const message = `full trains every weight of the language model, which ${engine} cannot put on and off like an adapter; set generation.engine to hf, or finetuning to lora`;
    found.push([[stage, 'finetuning'], message]);
  }
  if (engine === 'vllm' && config.model.device === 'cpu') {
    const message =
      'vllm needs a GPU, but model.device is cpu; set model.device to auto or cuda, or generation.engine to hf';
    found.push([['generation', 'engine'], message]);
  }
  return found;
}

/** What in a run generates with an adapter; null when everything is written by the base. */
function firstUserOfAdapters({
  model,
  rounds,
  strategy,
  training_stages,
  infusion,
  evaluation,
}: z.infer<typeof ExperimentFields>): string | null {
  if (model.adapter !== undefined) return 'model.adapter';
  if (rounds > 1) return `round 2 of rounds: ${String(rounds)}`;
  if (evaluation.sets.length > 0 && evaluation.policies.some((policy) => policy !== 'base')) {
    return 'evaluation.policies';
  }
  const stages = trainingsOf({ strategy, training_stages });
  const describesAdapted =
    stages.length === ALL_TRAINING_STAGES.length && infusion?.describe === 'policy';
  return describesAdapted ? 'infusion.describe: policy' : null;
}

type Finding = readonly [path: string[], message: string];

function evaluationOnlyIssues(config: z.infer<typeof ExperimentFields>): Finding[] {
  const found: Finding[] = [];
  if (isEvaluationOnly(config)) {
    if (config.evaluation.sets.length === 0) {
      const message = 'without training_stages there is nothing to do but evaluate; name a set';
      found.push([['evaluation', 'sets'], message]);
    }
    if (config.rounds !== 1) {
      found.push([['rounds'], 'must be 1 without training_stages: rounds would all be the same']);
    }
    return found;
  }
  if (config.images.source === null) {
    found.push([['images', 'source'], 'training needs images; name their folder']);
  }
  if (config.model.adapter !== undefined) {
    const message = 'is for evaluations: drop it, or set training_stages: []';
    found.push([['model', 'adapter'], message]);
  }
  return found;
}

/** True for a config without a training: the workflow `evaluation` runs it. */
export function isEvaluationOnly({
  training_stages,
}: Pick<z.infer<typeof ExperimentFields>, 'training_stages'>): boolean {
  return training_stages.length === 0;
}
