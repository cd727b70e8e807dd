/**
 * `selectInstructions`: a seeded subset of the image-bearing records of an instruction set in LLaVA's
 * conversation format, with their images. Records are drawn and joined by id, never by position.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { type Activities, SelectInstructionsInput } from '../contract/activities.ts';
import type { InstructionRecord } from '../contract/records.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { uniform } from '../store/random.ts';
import { resolveSource } from '../store/sources.ts';
import type { ActivityDependencies } from './context.ts';
import { buildImageArtifact } from './image-artifact.ts';
import { listNames } from './image-sources.ts';
import { readJsonElements } from './json-elements.ts';
import { readRunConfig } from './prepare-run.ts';

/** 2: with the difference hash of every image. */
const STAGE_VERSION = 2;
const ROLES = { human: 'user', gpt: 'assistant' } as const;

const Turns = z.array(z.object({ from: z.enum(['human', 'gpt']), value: z.string() })).min(2);

/** One record of LLaVA's file; other keys (such as `model`) do not matter. */
const LlavaRecord = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  image: z.string(),
  conversations: Turns,
  rejected_conversations: Turns.optional().describe(
    "POVID's files: the same questions, hallucinated answers",
  ),
});

interface Selected {
  readonly example_id: string;
  readonly image: string;
  readonly turns: InstructionRecord['turns'];
  readonly rejected?: string[];
}

export function instructionsActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'selectInstructions'> {
  return {
    async selectInstructions(input) {
      const { config: ref, round } = SelectInstructionsInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const { infusion, seed } = config;
      if (infusion === null) {
        throw new SticflowError('ConfigInvalid', 'infused_training needs infusion.instructions.');
      }
      const file = await resolveSource(deps.workspace, infusion.instructions);
      const { selected, counts } = await select(file, infusion.num_examples, (id) =>
        uniform(seed, round, id, 'infusion'),
      );
      const root = await resolveSource(deps.workspace, infusion.image_root);
      const names = [...new Set(selected.map(({ image }) => image))].sort();
      const built = await buildImageArtifact(deps, {
        kind: 'instructions',
        version: STAGE_VERSION,
        what: 'images of infusion.instructions',
        listing: await listNames(root, names),
        images: config.images,
        parameters: { content: sha256Hex(canonicalJson(selected)) },
        write: async (directory, { images, duplicates }) => {
          const ids = new Map(images.map(({ source_name, image_id }) => [source_name, image_id]));
          for (const { source_name, image_id } of duplicates) ids.set(source_name, image_id);
          const records = selected.flatMap(
            ({ example_id, image, ...texts }): InstructionRecord[] => {
              const image_id = ids.get(image);
              return image_id === undefined ? [] : [{ example_id, image_id, ...texts }];
            },
          );
          return await writeLines(join(directory, 'instructions.jsonl'), records);
        },
      });
      return { instructions: built.ref, counts: { ...counts, ...built.counts } };
    },
  };
}

/** The records with the smallest draws: a subset that does not depend on the order of the file. */
async function select(
  file: string,
  limit: number | null,
  draw: (id: string) => number,
): Promise<{ selected: Selected[]; counts: Record<string, number> }> {
  const counts = { without_image: 0, malformed: 0, repeated_id: 0 };
  const records = new Map<string, Selected>();
  for await (const { bytes } of readJsonElements(file)) {
    const record = parsed(bytes);
    if (typeof record === 'string') counts[record] += 1;
    else if (records.has(record.example_id)) counts.repeated_id += 1;
    else records.set(record.example_id, record);
  }
  if (records.size === 0) {
    throw new SticflowError(
      'DataInvalid',
      `Expected records with image and conversations in infusion.instructions, found none (${String(counts.without_image)} without image, ${String(counts.malformed)} malformed). It takes LLaVA's format: [{"id", "image", "conversations": [{"from", "value"}]}].`,
    );
  }
  const drawn = [...records.values()].map((record) => ({ record, rank: draw(record.example_id) }));
  drawn.sort((a, b) => a.rank - b.rank);
  return { selected: drawn.slice(0, limit ?? drawn.length).map(({ record }) => record), counts };
}

function parsed(bytes: Buffer): Selected | 'without_image' | 'malformed' {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return 'malformed';
  }
  if (typeof value === 'object' && value !== null && !('image' in value)) return 'without_image';
  const record = LlavaRecord.safeParse(value);
  if (!record.success) return 'malformed';
  const { id, image, conversations, rejected_conversations } = record.data;
  const turns = conversations.map(({ from, value: text }) => ({
    role: ROLES[from],
    text: text.replaceAll('<image>', '').trim(),
  }));
  const alternates = turns.every(
    ({ role }, index) => role === (index % 2 === 0 ? 'user' : 'assistant'),
  );
  if (!alternates || turns.length % 2 !== 0) return 'malformed';
  const rejected = rejected_conversations
    ?.filter(({ from }) => from === 'gpt')
    .map(({ value }) => value.trim());
  if (rejected !== undefined && rejected.length !== turns.length / 2) return 'malformed';
  return { example_id: id, image, turns, ...(rejected === undefined ? {} : { rejected }) };
}
