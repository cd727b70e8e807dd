/** `sticflow plan`: what a run would do and need, before anything is started. */
import { existsSync } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ModelSource } from '../../contract/source.ts';
import { hubModelDir } from '../../store/layout.ts';
import { resolveSource } from '../../store/sources.ts';
import { type CommonOptions, type Context, collect, newCommand, type Shell } from '../command.ts';
import { loadConfig } from '../config/load.ts';
import { EXIT } from '../exit-codes.ts';
import type { Outcome } from '../output.ts';
import { countSources } from '../plan/counts.ts';
import { diskTerms } from '../plan/disk.ts';
import { estimateMemory, type MemoryPlan } from '../plan/memory.ts';
import { plannedStages, totalOf } from '../plan/stages.ts';
import { type Plan, planText } from '../plan/text.ts';
import { provideScenes } from '../scenes-data.ts';

interface PlanOptions extends CommonOptions {
  readonly set: readonly string[];
}

export function planCommand(shell: Shell): Command {
  return newCommand('plan', {
    summary: 'show what a run would do and need, and start nothing',
    description: `Stages and rounds with the most items, texts and optimizer steps that they can have, the memory of
trainings and generation on the device of this machine with what it consists of, and disk. Memory is
an estimate for the longest texts that the config allows; on GPUs it has not been held against
measurements yet. Exit code 3 when it does not fit.`,
    examples: [
      ['sticflow plan llava-1.6-mistral-7b', 'before renting a machine for it'],
      ['sticflow plan my.yaml --set preference_training.micro_batch_size=4', 'with another value'],
    ],
  })
    .argument('<config>', 'YAML file, or the name of a preset')
    .option('--set <key=value>', 'override a value of the config; repeatable', collect, [])
    .action(async (config: string, options: PlanOptions) => {
      await shell.perform(options, async (context) => plan(context, config, options));
    });
}

async function plan(
  { io, workspace }: Context,
  name: string,
  options: PlanOptions,
): Promise<Outcome> {
  const config = await loadConfig(name, { overrides: options.set, workspace });
  await provideScenes(workspace, config, io);
  const { counts, notes } = await countSources(config, workspace);
  const stages = plannedStages(config, counts);
  const folder = await modelFolder(workspace, config.model.source);
  const memory = folder === null ? null : await estimateMemory(config, folder, io.env);
  const disk =
    memory === null ? null : await diskPlan(workspace, diskTerms(config, memory.estimates));
  const isTraining = (stage: string): boolean => stage.endsWith('_training');
  const document: Plan = {
    config: config.name,
    rounds: config.rounds,
    stages,
    totals: {
      texts: totalOf(stages, 'texts', (stage) => !isTraining(stage)),
      optimizer_steps: totalOf(stages, 'optimizer_steps', isTraining),
    },
    memory,
    disk,
    fits:
      (memory?.estimates.every(({ fits }) => fits) ?? true) &&
      (disk === null || disk.total_bytes <= disk.free_bytes),
    notes: [...notes, ...memoryNotes(memory, config.model.source)],
  };
  return {
    document,
    text: planText(document),
    exitCode: document.fits ? EXIT.done : EXIT.refused,
  };
}

/** Null while a hub model has not been downloaded by a run. */
async function modelFolder(workspace: string, source: ModelSource): Promise<string | null> {
  const hub = /^hub:(.+)@([0-9a-f]{40})$/.exec(source);
  if (hub === null) return await resolveSource(workspace, source);
  const [, repository = '', commit = ''] = hub;
  const folder = hubModelDir(workspace, repository, commit);
  return existsSync(folder) ? folder : null;
}

async function diskPlan(workspace: string, terms: Record<string, number>) {
  await mkdir(workspace, { recursive: true });
  const { bavail, bsize } = await statfs(workspace);
  const total_bytes = Object.values(terms).reduce((sum, bytes) => sum + bytes, 0);
  return { terms, total_bytes, free_bytes: bavail * bsize };
}

function memoryNotes(memory: MemoryPlan | null, source: ModelSource): string[] {
  if (memory === null) {
    return [`${source} is not on this machine yet, so memory and disk are not estimated`];
  }
  const assumed = `the config of this family does not tell how many tokens an image has; ${String(memory.model.image_tokens)} are assumed`;
  const unlike = 'on GPUs the estimate has not been held against measurements';
  return [
    ...(memory.model.image_tokens_known ? [] : [assumed]),
    ...(memory.device.kind === 'cuda' ? [unlike] : []),
    'copies of images and generated texts are not in the figure for disk',
  ];
}
