/** Lines of strategies whose pairs come from questions with known answers. */
import { z } from 'zod';
import { Contrast, ImageId } from './records.ts';

/** A question of an instruction set on its own. */
export const Question = z.strictObject({
  question_id: z.string().describe("the example's id and the number of its question, from 1"),
  example_id: z.string(),
  image_id: ImageId,
  prompt: z.string(),
  answer: z.string().describe('as the file has it'),
  hallucinated: z.string().nullable().describe('as the file has it; null = it has none'),
});
export type Question = z.infer<typeof Question>;

/** `draws.jsonl` beside the requests of a preference shard about questions. */
export const QuestionDraw = Question.extend({
  seeds: z.array(z.int()).describe('of the sampled answers, in their order'),
  contrast: Contrast.optional(),
});
export type QuestionDraw = z.infer<typeof QuestionDraw>;
