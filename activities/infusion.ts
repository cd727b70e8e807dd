/** `collectInfusedExamples`: instructions with the policy's own description in front, joined by id. */
import { join } from 'node:path';
import { type Activities, CollectInfusedExamplesInput } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import { DescriptionDraw, type InfusedExample } from '../contract/infusion-records.ts';
import { Generation, InstructionRecord } from '../contract/records.ts';
import type { RunConfig } from '../contract/run-config.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import type { ActivityDependencies } from './context.ts';
import { IMAGE_FILES, imageFileName } from './image-intake.ts';
import { policyId } from './policy-id.ts';
import { readRunConfig } from './prepare-run.ts';
import { finishedShard } from './shard-plan.ts';

const STAGE_VERSION = 1;

type CollectInput = ReturnType<typeof CollectInfusedExamplesInput.parse>;

interface Description extends DescriptionDraw {
  readonly text: string;
  readonly finish_reason: Generation['finish_reason'];
}

export function infusionActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'collectInfusedExamples'> {
  return {
    async collectInfusedExamples(raw) {
      const input = CollectInfusedExamplesInput.parse(raw);
      const run = await readRunConfig(deps.store, input.config);
      const { descriptions, inputs } = await readDescriptions(deps, run, input);
      const spec = {
        kind: 'infused_examples' as const,
        inputs: [input.instructions, ...inputs],
        parameters: {
          round: input.round,
          policy: policyId(input.policy),
          template: run.prompts.infusion_template.template,
          describe: input.shards === null ? 'none' : 'policy',
        },
        version: STAGE_VERSION,
      };
      const infused_examples = await deps.store.build(spec, async (directory) => {
        const examples: InfusedExample[] = [];
        const records = deps.store.readLines(
          input.instructions,
          'instructions.jsonl',
          InstructionRecord,
        );
        for await (const record of records) {
          examples.push(
            exampleOf(record, run, input, descriptions?.get(record.example_id) ?? null),
          );
        }
        return await writeLines(join(directory, 'examples.jsonl'), examples);
      });
      return { infused_examples, counts: { examples: infused_examples.num_records } };
    },
  };
}

async function readDescriptions(
  { store }: ActivityDependencies,
  run: RunConfig,
  { shards }: CollectInput,
): Promise<{ descriptions: Map<string, Description> | null; inputs: ArtifactRef[] }> {
  if (shards === null) return { descriptions: null, inputs: [] };
  const descriptions = new Map<string, Description>();
  const used: ArtifactRef[] = [];
  for (let shard = 0; shard < shards.num_shards; shard += 1) {
    const { requests, generations } = await finishedShard(store, run, shards, shard);
    used.push(requests, generations);
    const texts = new Map<string, Generation>();
    for await (const text of store.readLines(generations, 'generations.jsonl', Generation)) {
      texts.set(text.request_id, text);
    }
    for await (const draw of store.readLines(requests, 'draws.jsonl', DescriptionDraw)) {
      const found = texts.get(`${draw.example_id}/description`);
      if (found !== undefined) {
        descriptions.set(draw.example_id, {
          ...draw,
          text: found.text,
          finish_reason: found.finish_reason,
        });
      }
    }
  }
  return { descriptions, inputs: used };
}

function exampleOf(
  { example_id, image_id, turns }: InstructionRecord,
  { prompts }: RunConfig,
  { round, policy, shards }: CollectInput,
  description: Description | null,
): InfusedExample {
  if (shards !== null && description === null) {
    throw new SticflowError(
      'DataInvalid',
      `Expected a description for the instruction ${example_id}, found none.`,
    );
  }
  const messages = turns.map(({ role, text }, index): InfusedExample['messages'][number] => {
    if (role === 'assistant') return { role, content: [{ type: 'text', text }] };
    // Only the first turn carries the image and its description (STIC 993734e add_des_to_data.py:24-27).
    if (index > 0) return { role, content: [{ type: 'text', text }] };
    const asked =
      description === null
        ? text
        : prompts.infusion_template.template
            .replace('{description}', () => description.text)
            .replace('{instruction}', () => text);
    return { role, content: [{ type: 'image' }, { type: 'text', text: asked }] };
  });
  return {
    example_id,
    images: [{ root: 'images', file: `${IMAGE_FILES}/${imageFileName(image_id)}` }],
    messages,
    provenance: {
      image_id,
      round,
      policy: policyId(policy),
      description: description?.text ?? null,
      description_prompt_id: description?.prompt_id ?? null,
      description_seed: description?.seed ?? null,
      description_finish_reason: description?.finish_reason ?? null,
    },
  };
}
