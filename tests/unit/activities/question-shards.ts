/** Shards of the preference stage over an instruction set, for strategies about questions. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { instructionsActivities } from '../../../activities/instructions.ts';
import type { ExperimentConfigInput } from '../../../contract/config.ts';
import { registerSource } from '../../../store/sources.ts';
import { dependencies, folderOfImages, prepared, temporaryFolder } from './run-workspace.ts';
import { shardsOf } from './strategy-runs.ts';

export interface Conversation {
  readonly answers: readonly string[];
  readonly rejected?: readonly string[];
}

const CONVERSATIONS: readonly Conversation[] = [
  { answers: ['blue', 'The small circle is left of the star.'] },
  { answers: ['4', 'yes'] },
  { answers: ['Fine weather', 'no'] },
];

/** Where `trainingOf` needs a config that names an instruction set. */
export const INFUSION = {
  instructions: 'builtin:scenes/instructions.json',
  image_root: 'builtin:scenes/images',
} as const;

/** A fan-out over an instruction set in LLaVA's format, three pictures with two questions each. */
export async function fanOut(
  knobs: Partial<ExperimentConfigInput>,
  conversations: readonly Conversation[] = CONVERSATIONS,
) {
  const { deps, shardsWith } = await workspaceWith(conversations);
  return { deps, ...(await shardsWith(knobs)) };
}

/** One workspace in which several configs may meet each other's artifacts. */
export async function workspaceWith(conversations: readonly Conversation[]) {
  const deps = dependencies();
  const folder = await folderOfImages(conversations.length);
  const infusion = await instructionSet(deps, folder, conversations);
  const shardsWith = async (knobs: Partial<ExperimentConfigInput>) => {
    const { config, plan } = await prepared(deps, folder, { ...knobs, infusion });
    const selected = await instructionsActivities(deps).selectInstructions({ config, round: 1 });
    return { plan, shards: shardsOf(selected.instructions, config) };
  };
  return { deps, shardsWith };
}

async function instructionSet(
  { workspace }: ActivityDependencies,
  folder: string,
  conversations: readonly Conversation[],
) {
  const file = join(temporaryFolder(), 'instructions.json');
  writeFileSync(file, JSON.stringify(conversations.map(record)));
  return {
    instructions: await registerSource(workspace, file),
    image_root: await registerSource(workspace, folder),
    num_examples: null,
  };
}

function record({ answers, rejected }: Conversation, index: number): object {
  const turns = (texts: readonly string[]) =>
    texts.flatMap((value, place) => [
      { from: 'human', value: `${place === 0 ? '<image>\n' : ''}Question ${String(place + 1)}?` },
      { from: 'gpt', value },
    ]);
  return {
    id: `record-${String(index)}`,
    image: `${String(index)}.png`,
    conversations: turns(answers),
    ...(rejected === undefined ? {} : { rejected_conversations: turns(rejected) }),
  };
}

export function text(messages: readonly { content: readonly { text: string }[] }[]): string {
  return messages.flatMap(({ content }) => content.map((part) => part.text)).join('');
}
