/**
 * Lines inside artifacts (JSONL). Preference pairs follow TRL's vision preference format, with
 * `provenance` added; everything that was drawn for a record stands on it.
 */
import { z } from 'zod';
import { Sha256 } from './artifact.ts';
import { REJECTION_SOURCES } from './config-rejections.ts';

export const ImageId = Sha256.describe('sha256 of the bytes of the file as the user gave it');

/** A file inside one of the named roots of a request; never an absolute path. */
export const ImageFile = z.strictObject({
  root: z.enum(['images', 'corrupted']),
  file: z.string().regex(/^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/),
});
export type ImageFile = z.infer<typeof ImageFile>;

/** `images.jsonl`: an image that was decoded whole and stored as 8-bit RGB PNG `files/<id>.png`. */
export const ImageRecord = z.strictObject({
  image_id: ImageId,
  source_name: z.string().describe('name in the user list or path below the user folder'),
  format: z.enum(['jpeg', 'png', 'webp']),
  width: z.int().positive().describe('pixels, as stored'),
  height: z.int().positive().describe('pixels, as stored'),
  dhash: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional()
    .describe('difference hash, to find the picture in other bytes; absent in older artifacts'),
  notes: z.array(
    z.enum([
      'scaled_down',
      'scaled_up',
      'alpha_flattened',
      'first_frame',
      'depth_reduced',
      'cmyk_converted',
    ]),
  ),
});
export type ImageRecord = z.infer<typeof ImageRecord>;

export const QUARANTINE_REASONS = [
  'not_an_image',
  'unsupported_format',
  'undecodable',
  'too_many_pixels',
  'file_too_large',
  'aspect_ratio',
  'empty_file',
  'not_a_file',
  'outside_root',
  'missing',
  'malformed_record',
  'duplicate_id',
] as const;

/** `quarantine.jsonl`: an item that was left out. */
export const QuarantineRecord = z.strictObject({
  source_name: z.string(),
  reason: z.enum(QUARANTINE_REASONS),
  detail: z.string().max(500),
  sha256: Sha256.nullable().describe('of the bytes; null when they were not read'),
});
export type QuarantineRecord = z.infer<typeof QuarantineRecord>;

/** `duplicates.jsonl`: a file with the same bytes as one that was kept. */
export const DuplicateRecord = z.strictObject({
  source_name: z.string(),
  image_id: ImageId,
  duplicate_of: z.string(),
});
export type DuplicateRecord = z.infer<typeof DuplicateRecord>;

/** `instructions.jsonl`: an image-bearing record of the instruction set. */
export const InstructionRecord = z.strictObject({
  example_id: z.string(),
  image_id: ImageId,
  turns: z
    .array(z.strictObject({ role: z.enum(['user', 'assistant']), text: z.string() }))
    .min(2)
    .describe('user first, alternating; the image token is taken out of the text'),
  rejected: z
    .array(z.string())
    .optional()
    .describe(
      "hallucinated answers in the order of the assistant's turns, where the file has them",
    ),
});
export type InstructionRecord = z.infer<typeof InstructionRecord>;

/** `questions.jsonl` of an evaluation set. */
export const QuestionRecord = z.strictObject({
  question_id: z.string(),
  image_id: ImageId.nullable().describe('null = the question is about text alone'),
  question: z.string().describe('the user turn, without image token and description'),
  answer: z.string().describe('empty where only a judge can tell'),
  question_type: z.string(),
  max_new_tokens: z.int().min(1).optional().describe('that the official script allows'),
});
export type QuestionRecord = z.infer<typeof QuestionRecord>;

export const SceneObject = z.strictObject({
  shape: z.string(),
  color: z.string(),
  size: z.string(),
  position: z.string(),
});
export type SceneObject = z.infer<typeof SceneObject>;

/** `truth.jsonl` of a scenes evaluation set. */
export const SceneTruth = z.strictObject({
  image_id: ImageId,
  objects: z.array(SceneObject),
  background: z.string(),
});
export type SceneTruth = z.infer<typeof SceneTruth>;

/** `requests.jsonl`: one text to generate. Same record for every engine. */
export const GenerationRequest = z.strictObject({
  request_id: z.string().describe('unique in the shard, says what it is for'),
  image: ImageFile.nullable().describe('null = a prompt of text alone'),
  prompt: z
    .string()
    .describe('text of the user turn; the engine adds image token and chat template'),
  temperature: z.number().min(0).describe('0 = greedy'),
  top_p: z.number().gt(0).max(1).nullable(),
  max_new_tokens: z.int().min(1),
  seed: z
    .int()
    .min(0)
    .max(2 ** 53 - 1)
    .describe('of this row alone'),
});
export type GenerationRequest = z.infer<typeof GenerationRequest>;

/** `generations.jsonl`: one generated text, in the order of the requests. */
export const Generation = z.strictObject({
  request_id: z.string(),
  text: z.string(),
  num_tokens: z.int().nonnegative(),
  finish_reason: z.enum(['stop', 'length']),
});
export type Generation = z.infer<typeof Generation>;

/** `embedding.jsonl` of a features artifact: whose features a row of the tensor holds. */
export const EmbeddedImage = z.strictObject({ image_id: ImageId });
export type EmbeddedImage = z.infer<typeof EmbeddedImage>;

/** `distances.jsonl` of a feature_comparison artifact. */
export const FeatureDistance = z.strictObject({
  set: z.string(),
  image_id: ImageId,
  distance: z.number().describe('mean Euclidean distance to the 5 nearest images of the reference'),
});
export type FeatureDistance = z.infer<typeof FeatureDistance>;

export const PolicyId = z.strictObject({
  model_sha256: Sha256,
  adapter_sha256: Sha256.nullable().describe('null = the base model'),
});
export type PolicyId = z.infer<typeof PolicyId>;

const Severity = z.number().min(0).max(1);
const rectangle = { left: z.int(), top: z.int(), width: z.int(), height: z.int() };

/** What was done to an image, so exactly that it can be done again. */
export const Corruption = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('low_resolution'), width: z.int(), height: z.int() }),
  z.strictObject({
    kind: z.literal('color_jitter'),
    brightness_factor: z.number(),
    hue_shift: z.number(),
    order: z.enum(['brightness_first', 'hue_first']),
  }),
  z.strictObject({
    kind: z.literal('blur'),
    severity: Severity,
    sigma: z.number().describe('pixels'),
  }),
  z.strictObject({ kind: z.literal('jpeg'), severity: Severity, quality: z.int() }),
  z.strictObject({ kind: z.literal('occlusion'), severity: Severity, ...rectangle }),
  z.strictObject({
    kind: z.literal('patch_shuffle'),
    severity: Severity,
    columns: z.int(),
    rows: z.int(),
    seed: z.int(),
  }),
  z.strictObject({
    kind: z.literal('noise'),
    severity: Severity,
    step: z.int().min(0).max(999).describe('of the forward diffusion'),
    seed: z.int(),
  }),
  z.strictObject({ kind: z.literal('crop'), severity: Severity, ...rectangle }),
]);
export type Corruption = z.infer<typeof Corruption>;

const ImageContent = z.strictObject({ type: z.literal('image') });
const TextContent = z.strictObject({ type: z.literal('text'), text: z.string() });
export const UserMessage = z.strictObject({
  role: z.literal('user'),
  content: z.array(z.union([ImageContent, TextContent])),
});
export const AssistantMessage = z.strictObject({
  role: z.literal('assistant'),
  content: z.array(TextContent),
});

/**
 * `normal_prompt`: the clean image and no bad prompt, which only the released code does. The last four are of pairs
 * about questions: the opponent's own answer, a changed or a given hallucination, a sampled wrong answer.
 */
export const RejectionSource = z.enum([
  ...REJECTION_SOURCES,
  'normal_prompt',
  'opponent',
  'injected_hallucination',
  'given_hallucination',
  'wrong_answer',
]);

/** A corrupted image under which the chosen text is to be unlikely. */
export const Contrast = z.strictObject({ corruption: Corruption, image: ImageFile });

const Sampling = z.strictObject({
  temperature: z.number(),
  top_p: z.number().nullable(),
  max_new_tokens: z.int(),
});

/** `draws.jsonl` beside the requests of a preference shard: all that was drawn for an image. */
export const PreferenceDraw = z.strictObject({
  image_id: ImageId,
  source_name: z.string(),
  prompt_id: z.string().describe('normal prompt stored with the pair'),
  prompt: z.string(),
  chosen_prompt_id: z.string(),
  rejected_prompt_id: z.string(),
  rejection_source: RejectionSource,
  corruption: Corruption.nullable(),
  corrupted_image: ImageFile.nullable(),
  chosen_seed: z.int(),
  rejected_seed: z.int(),
  contrast: Contrast.optional(),
});
export type PreferenceDraw = z.infer<typeof PreferenceDraw>;

/** `pairs.jsonl`: TRL's vision preference format plus provenance. */
export const PreferencePair = z.strictObject({
  pair_id: z.string(),
  images: z.array(ImageFile).length(1).describe('the clean image, for both sides'),
  prompt: z.array(UserMessage).length(1),
  chosen: z.array(AssistantMessage).length(1),
  rejected: z.array(AssistantMessage).length(1),
  provenance: z.strictObject({
    image_id: ImageId,
    source_name: z.string(),
    round: z.int().min(1),
    policy: PolicyId,
    prompt_id: z.string().describe('normal prompt stored with the pair'),
    chosen_prompt_id: z.string(),
    rejected_prompt_id: z.string(),
    rejection_source: RejectionSource,
    corruption: Corruption.nullable(),
    corrupted_image: ImageFile.nullable(),
    run_seed: z.int(),
    chosen_seed: z.int().nullable().describe('null = the text was given, not sampled'),
    rejected_seed: z.int().nullable().describe('null = the text was given, not sampled'),
    sampling: Sampling,
    chosen_finish_reason: z.enum(['stop', 'length']),
    rejected_finish_reason: z.enum(['stop', 'length']),
    contrast: Contrast.optional().describe('file in the folder of the pairs'),
  }),
});
export type PreferencePair = z.infer<typeof PreferencePair>;

/** The last four are of questions: nothing to change in the answer, nothing to compare, no contrast in the samples. */
export const DROP_REASONS = [
  'empty',
  'equal',
  'cut',
  'repeating',
  'no_hallucination',
  'not_verifiable',
  'all_right',
  'all_wrong',
] as const;

/** `dropped.jsonl`: a degenerate pair that was left out of training. */
export const DroppedPair = z.strictObject({
  pair_id: z.string(),
  reason: z.enum(DROP_REASONS),
  side: z.enum(['chosen', 'rejected', 'both']),
});
export type DroppedPair = z.infer<typeof DroppedPair>;
