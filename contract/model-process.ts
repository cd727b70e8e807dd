/**
 * The wire between an activity and its model process: requests are lines of JSON on stdin,
 * messages are lines of JSON on file descriptor 3, logs go to stderr. EOF on stdin ends the process.
 */
import { z } from 'zod';
import { PROTOCOL_VERSION } from './api.ts';
import { Sha256 } from './artifact.ts';
import { LoraSettings } from './config-training.ts';
import { HfEngine, OpenAiEngine, Path, VllmEngine } from './model-process-engines.ts';
import { finetuning, OptimizationSpec, PairObjective } from './model-process-training.ts';

export const ModelSpec = z.strictObject({
  path: Path.describe('folder of the snapshot'),
  sha256: Sha256.describe('of the model artifact; part of fingerprints'),
  dtype: z.enum(['float32', 'bfloat16', 'float16']),
  device: z.enum(['auto', 'cpu', 'cuda']),
  num_threads: z.int().min(1),
  image_backend: z.enum(['pil', 'torchvision']),
  quantization: z.enum(['nf4']).optional(),
  feature_cache: z
    .strictObject({ path: Path, max_bytes: z.int().positive() })
    .optional()
    .describe('folder of image features that processes share; changes no result'),
});
export type ModelSpec = z.infer<typeof ModelSpec>;

export const AdapterSpec = z.strictObject({ path: Path, sha256: Sha256 });
export type AdapterSpec = z.infer<typeof AdapterSpec>;

/** What every request that works in a folder carries. */
const work = {
  protocol_version: z.literal(PROTOCOL_VERSION),
  request_id: z.string().min(1),
  work_dir: Path.describe('survives attempts; locked by the process while it works in it'),
  attempt: z
    .int()
    .min(1)
    .describe('fencing token: a work folder refuses an attempt older than the last'),
  lock_timeout_seconds: z.number().nonnegative().default(20),
  model: ModelSpec,
  adapter: AdapterSpec.nullable().describe('policy to start from; null = the base model'),
};

const ImageRoots = z
  .strictObject({ images: Path, corrupted: Path.nullable() })
  .describe('folders that ImageFile records refer to');

/** Result files in `<work_dir>/output`: generations.jsonl, generation.json. */
export const GenerateRequest = z.strictObject({
  ...work,
  command: z.literal('generate'),
  engine: z.discriminatedUnion('name', [HfEngine, OpenAiEngine, VllmEngine]),
  requests_path: Path,
  image_roots: ImageRoots,
  batch_size: z
    .union([z.int().min(1), z.literal('auto')])
    .describe('of engine hf; auto = as many rows as fit'),
});
export type GenerateRequest = z.infer<typeof GenerateRequest>;

/**
 * Result files in `<work_dir>/output`: adapter_model.safetensors, adapter_config.json,
 * metrics.jsonl, training.json.
 */
export const TrainPreferenceRequest = z.strictObject({
  ...work,
  command: z.literal('train_preference'),
  pairs_path: Path,
  image_roots: ImageRoots,
  finetuning,
  lora: LoraSettings,
  loss: z.strictObject({
    beta: z.number().positive(),
    chosen_nll_weight: z.number().min(0),
    nll_reduction: z.enum(['sum', 'token', 'sequence']),
  }),
  objective: PairObjective.optional().describe('absent = regularised DPO'),
  reference: z
    .enum(['base', 'none'])
    .optional()
    .describe('absent = the policy in `adapter`, frozen; base = without it'),
  infused: z
    .strictObject({ examples_path: Path, image_roots: ImageRoots, weight: z.number().positive() })
    .optional()
    .describe('infused examples that are learnt in the same training'),
  optimization: OptimizationSpec,
});
export type TrainPreferenceRequest = z.infer<typeof TrainPreferenceRequest>;

/** Result files as {@link TrainPreferenceRequest}; continues `adapter`, unmerged. */
export const TrainInfusedRequest = z.strictObject({
  ...work,
  command: z.literal('train_infused'),
  examples_path: Path,
  image_roots: ImageRoots,
  finetuning,
  lora: LoraSettings,
  optimization: OptimizationSpec,
});
export type TrainInfusedRequest = z.infer<typeof TrainInfusedRequest>;

/**
 * Result files in `<work_dir>/output`: features.safetensors (`features`, float32, a row an image: the
 * mean over the tokens of the vision tower's last layer), embedding.jsonl (`image_id` a row), embedding.json.
 */
export const EmbedRequest = z.strictObject({
  ...work,
  command: z.literal('embed'),
  images_path: Path.describe('images.jsonl beside the folder `files` of an artifact'),
  image_roots: ImageRoots,
  max_images: z.int().positive().nullable().describe('evenly spread over the file; null = all'),
});
export type EmbedRequest = z.infer<typeof EmbedRequest>;

const NamedFeatures = z.strictObject({
  name: z.string(),
  path: Path.describe('folder with features.safetensors and embedding.jsonl'),
});

export const Projection = z.strictObject({
  perplexity: z.number().positive(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1),
});

/**
 * Needs no model. Result files in `output_dir`: overlaps.json, distances.jsonl (of every image of the
 * sets to the reference), points.jsonl (empty without a projection).
 */
export const CompareFeaturesRequest = z.strictObject({
  protocol_version: z.literal(PROTOCOL_VERSION),
  request_id: z.string().min(1),
  command: z.literal('compare_features'),
  output_dir: Path,
  reference: NamedFeatures,
  sets: z.array(NamedFeatures).min(1),
  projection: Projection.nullable().describe('t-SNE of all images'),
});
export type CompareFeaturesRequest = z.infer<typeof CompareFeaturesRequest>;

/** Loads nothing into memory: checks that the classes, template and special tokens are there. */
export const InspectModelRequest = z.strictObject({
  protocol_version: z.literal(PROTOCOL_VERSION),
  request_id: z.string().min(1),
  command: z.literal('inspect_model'),
  path: Path,
});
export type InspectModelRequest = z.infer<typeof InspectModelRequest>;

/** Downloads a snapshot: safetensors, json, text and template files only. */
export const DownloadModelRequest = z.strictObject({
  protocol_version: z.literal(PROTOCOL_VERSION),
  request_id: z.string().min(1),
  command: z.literal('download_model'),
  repository: z.string(),
  revision: z.string().regex(/^[0-9a-f]{40}$/),
  destination: Path,
});
export type DownloadModelRequest = z.infer<typeof DownloadModelRequest>;

export const ModelProcessRequest = z.discriminatedUnion('command', [
  GenerateRequest,
  TrainPreferenceRequest,
  TrainInfusedRequest,
  EmbedRequest,
  CompareFeaturesRequest,
  InspectModelRequest,
  DownloadModelRequest,
]);
export type ModelProcessRequest = z.infer<typeof ModelProcessRequest>;

/** First message of a process, before any request. */
export const HelloMessage = z.strictObject({
  type: z.literal('hello'),
  protocol_version: z.int(),
  pid: z.int(),
  versions: z.record(z.string(), z.string()),
});

const about = { request_id: z.string() };

/** Sent whenever work was really done; the stall watchdog looks at nothing else. */
export const ProgressMessage = z.strictObject({
  type: z.literal('progress'),
  ...about,
  phase: z.enum([
    'waiting_for_lock',
    'loading',
    'reference',
    'generating',
    'embedding',
    'projecting',
    'training',
    'saving',
    'downloading',
  ]),
  done: z.number().nonnegative(),
  total: z.number().nonnegative(),
  unit: z.enum(['items', 'steps', 'bytes']),
});
export type ProgressMessage = z.infer<typeof ProgressMessage>;

/** One line of metrics.jsonl as it is written; names as TRL's. */
export const MetricMessage = z.strictObject({
  type: z.literal('metric'),
  ...about,
  step: z.int().nonnegative(),
  values: z.record(z.string(), z.number()),
});

export const CheckpointMessage = z.strictObject({
  type: z.literal('checkpoint'),
  ...about,
  step: z.int().nonnegative(),
});

/** Something worth telling that is no failure: a resume, a halved batch, a dropped example. */
export const NoticeMessage = z.strictObject({
  type: z.literal('notice'),
  ...about,
  name: z.string(),
  detail: z.string().max(2000),
});

export const ResultMessage = z.strictObject({
  type: z.literal('result'),
  ...about,
  num_records: z.int().nonnegative(),
  summary: z.record(z.string(), z.json()).describe('small; the files hold the rest'),
});
export type ResultMessage = z.infer<typeof ResultMessage>;

export const ErrorMessage = z.strictObject({
  type: z.literal('error'),
  request_id: z.string().nullable(),
  code: z.string().describe('a FailureCode'),
  message: z.string().max(4000),
  details: z.record(z.string(), z.json()),
});
export type ErrorMessage = z.infer<typeof ErrorMessage>;

export const ModelProcessMessage = z.discriminatedUnion('type', [
  HelloMessage,
  ProgressMessage,
  MetricMessage,
  CheckpointMessage,
  NoticeMessage,
  ResultMessage,
  ErrorMessage,
]);
export type ModelProcessMessage = z.infer<typeof ModelProcessMessage>;
