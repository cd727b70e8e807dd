/** A workspace in a temporary folder with a run's config in it, for tests of activities. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { prepareRunActivities } from '../../../activities/prepare-run.ts';
import { sharp } from '../../../activities/safe-sharp.ts';
import type { PrepareRunOutput } from '../../../contract/activities.ts';
import type { ExperimentConfigInput } from '../../../contract/config.ts';
import { registerSource } from '../../../store/sources.ts';
import { openStore } from '../../../store/store.ts';

export const SHARED = resolve(process.env['STICFLOW_SHARED'] ?? '../shared');

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'sticflow-activities-'));
}

/** What activities without a model need; asking for the model process is a mistake of the test. */
export function dependencies(workspace = temporaryFolder()): ActivityDependencies {
  const modelProcesses = new Proxy(Object.create(null) as ActivityDependencies['modelProcesses'], {
    get: (_target, name) => {
      throw new Error(`no model process here: ${String(name)}`);
    },
  });
  return { store: openStore(workspace), workspace, modelProcesses };
}

/** A folder of `count` images of different colours. */
export async function folderOfImages(count: number): Promise<string> {
  const folder = join(temporaryFolder(), 'images');
  mkdirSync(folder);
  for (let index = 0; index < count; index += 1) {
    const background = { r: 40 * index, g: 90, b: 255 - 40 * index };
    await sharp({ create: { width: 48, height: 32, channels: 3, background } })
      .png()
      .toFile(join(folder, `${String(index)}.png`));
  }
  return folder;
}

type Prepared = z.infer<typeof PrepareRunOutput>;

/** Prepares a run over a folder of images. */
export async function prepared(
  deps: ActivityDependencies,
  images: string,
  more: Partial<ExperimentConfigInput> = {},
): Promise<Prepared> {
  const source = await registerSource(deps.workspace, images);
  return await prepareRunActivities(deps).prepareRun({
    config: {
      name: 'test',
      model: { source: 'builtin:scenes/model' },
      training_stages: ['preference_training'],
      ...more,
      images: { source, ...more.images },
    } as Parameters<ReturnType<typeof prepareRunActivities>['prepareRun']>[0]['config'],
  });
}
