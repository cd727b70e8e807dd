/**
 * Generation endpoints that a person of this workspace has named, each with the place of its key. A
 * worker asks these and no other, so that whoever may start a workflow can neither make it call an
 * address of their choosing nor have a key sent there.
 */
import { randomUUID } from 'node:crypto';
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenAiEngineConfig } from '../contract/config-engine.ts';
import { canonicalJson, sha256Hex } from './canonical.ts';
import { hasErrorCode, SticflowError } from './errors.ts';
import { endpointsDir } from './layout.ts';

export type Endpoint = Pick<OpenAiEngineConfig, 'base_url' | 'api_key'>;

/** Makes an endpoint known to the workers of a workspace. */
export async function registerEndpoint(workspace: string, endpoint: Endpoint): Promise<void> {
  const directory = endpointsDir(workspace);
  await mkdir(directory, { recursive: true });
  const temporary = join(directory, `.tmp-${randomUUID()}`);
  await writeFile(temporary, `${canonicalJson(recorded(endpoint))}\n`);
  await rename(temporary, endpointFile(workspace, endpoint));
}

/** @throws SticflowError `SourceNotFound` for an endpoint that nobody has registered. */
export async function requireEndpoint(workspace: string, endpoint: Endpoint): Promise<void> {
  try {
    await access(endpointFile(workspace, endpoint));
  } catch (cause) {
    if (!hasErrorCode(cause, 'ENOENT')) throw cause;
    throw new SticflowError(
      'SourceNotFound',
      `The endpoint ${endpoint.base_url} with the key ${endpoint.api_key ?? '(none)'} is not registered in the workspace ${workspace}. Start the run with the CLI on that workspace.`,
      { cause },
    );
  }
}

function recorded({ base_url, api_key }: Endpoint): Endpoint {
  return { base_url, api_key };
}

function endpointFile(workspace: string, endpoint: Endpoint): string {
  const id = sha256Hex(canonicalJson(['endpoint', recorded(endpoint)])).slice(0, 32);
  return join(endpointsDir(workspace), `${id}.json`);
}
