import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  registerEndpoint,
  registeredEndpoints,
  requireEndpoint,
} from '../../../store/endpoints.ts';
import { endpointsDir } from '../../../store/layout.ts';
import { temporaryDirectory } from './temporary.ts';

const ENDPOINT = { base_url: 'https://gpu.example/v1', api_key: 'env:GPU_KEY' };

describe('an endpoint of a workspace', () => {
  it('is known once it is registered, however often that is done', async () => {
    const workspace = await temporaryDirectory();

    await registerEndpoint(workspace, ENDPOINT);
    await registerEndpoint(workspace, ENDPOINT);

    expect(await registeredEndpoints(workspace)).toEqual([ENDPOINT]);
    expect(await readdir(endpointsDir(workspace))).toHaveLength(1);
    await expect(requireEndpoint(workspace, ENDPOINT)).resolves.toBeUndefined();
  });

  it.each([
    ['address', { ...ENDPOINT, base_url: 'https://evil.example/v1' }],
    ['key', { ...ENDPOINT, api_key: 'env:OTHER_KEY' }],
    ['absence of a key', { ...ENDPOINT, api_key: null }],
  ])('is another one by %s', async (_what, other) => {
    const workspace = await temporaryDirectory();
    await registerEndpoint(workspace, ENDPOINT);

    await expect(requireEndpoint(workspace, other)).rejects.toMatchObject({
      code: 'SourceNotFound',
    });
  });

  it('is written without anything else that a config says of it', async () => {
    const workspace = await temporaryDirectory();
    const config = { ...ENDPOINT, model: 'llava', max_retries: 3 };

    await registerEndpoint(workspace, config);

    const [name = ''] = await readdir(endpointsDir(workspace));
    const text = await readFile(join(endpointsDir(workspace), name), 'utf8');
    expect(JSON.parse(text)).toEqual(ENDPOINT);
  });

  it('is none in a workspace that has none', async () => {
    expect(await registeredEndpoints(await temporaryDirectory())).toEqual([]);
  });
});
