/**
 * Generation endpoints that a person of this workspace has named, each with the place of its key. A
 * worker asks these and no other, so that whoever may start a workflow can neither make it call an
 * address of their choosing nor have a key sent there.
 */
import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { OpenAiEngineConfig } from '../contract/config-engine.ts';
import { canonicalJson, sha256Hex } from './canonical.ts';
import { hasErrorCode, SticflowError } from './errors.ts';
import { endpointsDir } from './layout.ts';
import { parseJson } from './lines.ts';

const Endpoint = OpenAiEngineConfig.pick({ base_url: true, api_key: true });
export type Endpoint = z.infer<typeof Endpoint>;

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

/** Every endpoint of the workspace, by address. */
export async function registeredEndpoints(workspace: string): Promise<Endpoint[]> {
  const directory = endpointsDir(workspace);
  const names = await readdir(directory).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  });
  const endpoints = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const file = join(directory, name);
        return parseJson(await readFile(file, 'utf8'), Endpoint, file);
      }),
  );
  return endpoints.sort((a, b) => (a.base_url < b.base_url ? -1 : 1));
}

function recorded({ base_url, api_key }: Endpoint): Endpoint {
  return { base_url, api_key };
}

function endpointFile(workspace: string, endpoint: Endpoint): string {
  const id = sha256Hex(canonicalJson(['endpoint', recorded(endpoint)])).slice(0, 32);
  return join(endpointsDir(workspace), `${id}.json`);
}
