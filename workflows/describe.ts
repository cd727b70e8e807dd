/** Workflow `describe`: one image, described or asked about by a run's policy. */
import type { DescribeInput, DescribeOutput } from '../contract/workflows.ts';
import { requireFields } from './input.ts';
import { bookkeeping, generation } from './proxies.ts';

/**
 * Without a question the image is described. With one it is answered, after a description of the
 * policy's own when `describe_and_respond` is set.
 */
export async function describe(input: DescribeInput): Promise<DescribeOutput> {
  requireFields(input, {
    workflow: 'describe',
    required: ['config', 'policy', 'image', 'question', 'describe_and_respond'],
  });
  const { question } = input;
  if (question === null) {
    return { description: await generate(input, 'description', null, null), answer: null };
  }
  const description = input.describe_and_respond
    ? await generate(input, 'description', null, null)
    : null;
  const answer = await generate(input, 'answer', question, description);
  return { description, answer };
}

async function generate(
  { config, policy, image }: DescribeInput,
  summary: string,
  question: string | null,
  description: string | null,
): Promise<string> {
  const { requests } = await bookkeeping.prepareDescribe.executeWithOptions({ summary }, [
    { config, policy, image, question, description },
  ]);
  const { text } = await generation.generateOne.executeWithOptions({ summary }, [
    { config, policy, requests },
  ]);
  return text;
}
