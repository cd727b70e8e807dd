/** An adapter as an artifact: one of this workspace as it is, a PEFT folder of the user's as a copy. */
import { copyFile, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ArtifactKey, type ArtifactRef } from '../contract/artifact.ts';
import type { SourceRef } from '../contract/source.ts';
import { sha256Hex } from '../store/canonical.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';
import { artifactDir } from '../store/layout.ts';
import { resolveSource } from '../store/sources.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';

const STAGE_VERSION = 1;

/** What PEFT writes; weights as safetensors only, since a pickle runs code. */
const FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;

/** @throws SticflowError `ModelInvalid` when the folder is no PEFT adapter */
export async function adapterOf(
  { store, workspace }: ActivityDependencies,
  source: SourceRef,
): Promise<ArtifactRef> {
  const folder = await resolveSource(workspace, source);
  const key = ArtifactKey.safeParse(basename(folder));
  if (key.success && folder === artifactDir(workspace, 'adapter', key.data)) {
    const own = await store.find('adapter', key.data);
    if (own !== null) return own;
  }
  const files: { name: string; sha256: string }[] = [];
  for (const name of FILES) {
    files.push({ name, sha256: sha256Hex(await readPart(folder, name)) });
  }
  const spec: BuildSpec = {
    kind: 'adapter',
    inputs: [],
    parameters: { origin: 'folder', files },
    version: STAGE_VERSION,
  };
  return await store.build(spec, async (directory) => {
    for (const name of FILES) await copyFile(join(folder, name), join(directory, name));
    return 0;
  });
}

async function readPart(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    if (!hasErrorCode(cause, 'ENOENT', 'EISDIR')) throw cause;
    throw new SticflowError(
      'ModelInvalid',
      `Expected model.adapter to be a PEFT folder with ${FILES.join(' and ')}, ${name} is not there. Save the adapter with save_pretrained(..., safe_serialization=True).`,
      { cause },
    );
  }
}
