/** The prompt file (`config/prompts/stic.yaml` or the user's own). Prompts are data. */
import { z } from 'zod';

const PromptId = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/);
const PromptText = z.string().trim().min(1).max(8000);

export const Prompts = z.strictObject({
  well_crafted: z.strictObject({ id: PromptId, text: PromptText }),
  normal: z.strictObject({ id: PromptId, items: z.array(PromptText).min(1) }),
  bad: z.strictObject({ id: PromptId, items: z.array(PromptText).min(1) }),
  infusion_template: z.strictObject({
    id: PromptId,
    template: PromptText.describe('with {description} and {instruction}'),
  }),
  describe_and_respond: z.strictObject({
    id: PromptId,
    description_prompt: PromptText,
    question_template: PromptText.describe('with {description} and {question}'),
  }),
});
export type Prompts = z.infer<typeof Prompts>;
