/** From a config to published texts: the real model process asks a real server over HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { translateErrors } from '../../../activities/errors.ts';
import { generationActivities } from '../../../activities/generation.ts';
import { ModelProcesses } from '../../../activities/model-process.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import type { ExperimentConfigInput } from '../../../contract/config.ts';
import { registerEndpoint } from '../../../store/endpoints.ts';
import { pythonExecutable } from '../../../store/layout.ts';
import { writeLines } from '../../../store/lines.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import { type GpuWorkspace, gpuWorkspace, shardOf } from './gpu-workspace.ts';

const SERVER = fileURLToPath(new URL('../../fixtures/openai_server.py', import.meta.url));
const KEY = 'sk-secret-4711';
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

/** Address of a server that wants the key; gone after the test. */
async function startServer(...faults: readonly string[]): Promise<string> {
  const journal = join(await temporaryDirectory(), 'journal.jsonl');
  const options = ['--journal', journal, '--model', 'llava', '--key', KEY, ...faults];
  const server = spawn(pythonExecutable(), [SERVER, ...options], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  onTestFinished(() => {
    server.kill('SIGKILL');
  });
  const [port] = (await once(createInterface(server.stdout), 'line')) as [string];
  return `http://127.0.0.1:${port}/v1`;
}

/** Requests about one picture, and the artifact that holds it. */
async function shardOfPictures(gpu: GpuWorkspace, generation: ExperimentConfigInput['generation']) {
  const { shards } = await shardOf(gpu, 1, { generation });
  const { store } = gpu.deps;
  const build = async (
    kind: 'images' | 'generation_requests',
    fill: (folder: string) => Promise<number>,
    inputs: readonly ArtifactRef[] = [],
  ): Promise<ArtifactRef> =>
    await store.build({ kind, inputs: [...inputs], parameters: { kind }, version: 1 }, fill);
  const source = await build('images', async (folder) => {
    await mkdir(join(folder, 'files'));
    await writeFile(join(folder, 'files', 'one.png'), PNG);
    return 1;
  });
  const lines = [0, 1, 2, 3].map((number) => ({
    request_id: `row-${number}`,
    image: { root: 'images', file: 'files/one.png' },
    prompt: `question ${number}`,
    temperature: 0,
    top_p: null,
    max_new_tokens: 20,
    seed: number,
  }));
  const requests = await build(
    'generation_requests',
    async (folder) => await writeLines(join(folder, 'requests.jsonl'), lines),
    [source],
  );
  return { shards: { ...shards, source }, requests };
}

function realActivities({ deps, workspace }: GpuWorkspace) {
  const environment = { ...process.env, GPU_KEY: KEY };
  const modelProcesses = new ModelProcesses({ workspace, environment });
  onTestFinished(() => modelProcesses.close());
  return translateErrors(generationActivities({ ...deps, modelProcesses }));
}

async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const found = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      return (await readFile(path)).includes(text) ? [path] : [];
    }),
  );
  return found.flat();
}

describe('generateShard by an endpoint', () => {
  it('publishes its texts, and the key is in no file of the workspace', async () => {
    const gpu = await gpuWorkspace();
    const base_url = await startServer('--fault', '500@2');
    const api_key = 'env:GPU_KEY';
    await registerEndpoint(gpu.workspace, { base_url, api_key });
    const openai = { base_url, model: 'llava', api_key, retry_delay_seconds: 0.01 };
    const input = await shardOfPictures(gpu, { engine: 'openai', openai });

    const { generations } = await realActivities(gpu).generateShard(input);

    await gpu.deps.store.verify(generations);
    expect(generations.num_records).toBe(4);
    expect(await filesWith(gpu.workspace, base_url)).not.toEqual([]);
    expect(await filesWith(gpu.workspace, KEY)).toEqual([]);
  });

  it('fails without a retry, and without the key in it, when the endpoint refuses the key', async () => {
    const gpu = await gpuWorkspace();
    const base_url = await startServer();
    await registerEndpoint(gpu.workspace, { base_url, api_key: null });
    const openai = { base_url, model: 'llava' };
    const input = await shardOfPictures(gpu, { engine: 'openai', openai });

    const failure: unknown = await realActivities(gpu)
      .generateShard(input)
      .catch((error: unknown) => error);

    expect(failure).toMatchObject({ type: 'EndpointInvalid', nonRetryable: true });
    expect(String(failure)).toContain('401');
  });
});
