/** Lines of the infusion stage (JSONL). */
import { z } from 'zod';
import { AssistantMessage, ImageFile, ImageId, PolicyId, UserMessage } from './records.ts';

/** `draws.jsonl` beside the requests of a descriptions shard. */
export const DescriptionDraw = z.strictObject({
  example_id: z.string(),
  image_id: ImageId,
  prompt_id: z.string(),
  seed: z.int(),
});
export type DescriptionDraw = z.infer<typeof DescriptionDraw>;

/** `examples.jsonl`: an instruction whose first user turn carries the policy's own description. */
export const InfusedExample = z.strictObject({
  example_id: z.string(),
  images: z.array(ImageFile).length(1),
  messages: z.array(z.union([UserMessage, AssistantMessage])).min(2),
  provenance: z.strictObject({
    image_id: ImageId,
    round: z.int().min(1),
    policy: PolicyId,
    description: z.string().nullable().describe('null in the control without descriptions'),
    description_prompt_id: z.string().nullable(),
    description_seed: z.int().nullable(),
    description_finish_reason: z.enum(['stop', 'length']).nullable(),
  }),
});
export type InfusedExample = z.infer<typeof InfusedExample>;
