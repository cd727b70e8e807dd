import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../../../../cli/config/issues.ts';
import { loadConfig } from '../../../../cli/config/load.ts';
import {
  allKeys,
  configSchema,
  nodeAt,
  SOURCE_FORMAT,
  withoutNull,
} from '../../../../cli/config/schema.ts';
import { SOURCE_FIELDS } from '../../../../cli/config/sources.ts';
import { SourceRef } from '../../../../contract/source.ts';
import { requireEndpoint } from '../../../../store/endpoints.ts';
import { resolveSource } from '../../../../store/sources.ts';

const BAD_CONFIGS = z
  .array(
    z.strictObject({
      mistake: z.string(),
      yaml: z.string(),
      set: z.array(z.string()).optional(),
      answers: z.array(z.string()).min(1),
    }),
  )
  .parse(parse(readFileSync(new URL('bad-configs.yaml', import.meta.url), 'utf8')));

const GOOD = `name: mine
training_stages: [preference_training]
model: { source: "builtin:scenes/model" }
images: { source: photos }
`;

let folder: string;
let workspace: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sticflow-config-'));
  workspace = join(folder, 'workspace');
  await mkdir(join(folder, 'photos'));
  await writeFile(join(folder, 'photos', 'one.png'), '');
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function load(yaml: string, overrides: readonly string[] = []) {
  const file = join(folder, 'config.yaml');
  await writeFile(file, yaml);
  return await loadConfig(file, { overrides, workspace });
}

async function answersTo(yaml: string, overrides: readonly string[] = []): Promise<string[]> {
  const error = await load(yaml, overrides).catch((caught: unknown) => caught);
  if (!(error instanceof ConfigError)) throw new Error('expected the config to be refused');
  const [title = '', ...lines] = error.message.split('\n');
  expect(title).toMatch(/config\.yaml: \d+ mistakes?$/);
  return lines.map((line) => line.replace(/^\S*config\.yaml:/, ''));
}

describe('a config with mistakes', () => {
  it('is a corpus of at least 60', () => {
    expect(BAD_CONFIGS.length).toBeGreaterThanOrEqual(60);
  });

  it.each(BAD_CONFIGS)('is answered with place, key and remedy: $mistake', async (bad) => {
    const lines = await answersTo(bad.yaml, bad.set);

    expect(lines.map((line, index) => line.slice(0, bad.answers[index]?.length))).toEqual(
      bad.answers,
    );
  });

  it('registers nothing', async () => {
    const untouched = join(folder, 'untouched');
    const file = join(folder, 'wrong.yaml');
    await writeFile(file, `${GOOD}rounds: 0\n`);

    await expect(loadConfig(file, { workspace: untouched })).rejects.toThrow(ConfigError);

    await expect(readdir(untouched)).rejects.toThrow('ENOENT');
  });
});

describe('the name of a config', () => {
  it.each([
    ['scens', 'Did you mean "scenes"?'],
    ['/nowhere/at-all.yaml', 'The presets are: '],
  ])('that leads nowhere is answered with what there is: %s', async (name, hint) => {
    await expect(loadConfig(name, { workspace })).rejects.toThrow(hint);
  });

  it('may not be a folder', async () => {
    await expect(loadConfig(folder, { workspace })).rejects.toThrow(
      'expected a YAML file, got a folder',
    );
  });

  it('may be that of a preset', async () => {
    const config = await loadConfig('scenes', { workspace });

    expect(config.name).toBe('scenes');
  });
});

describe('a path in a config', () => {
  it('is relative to the file and becomes an id that the workspace knows', async () => {
    const config = await load(GOOD);

    expect(config.images.source).toMatch(/^source:[0-9a-f]{32}$/);
    expect(await resolveSource(workspace, config.images.source ?? 'none')).toBe(
      join(folder, 'photos'),
    );
  });

  it('behind --set is relative to the current directory', async () => {
    const config = await load(GOOD, ['images.source=config']);

    expect(await resolveSource(workspace, config.images.source ?? 'none')).toBe(
      join(process.cwd(), 'config'),
    );
  });

  it('may be a glob of images', async () => {
    const config = await load(GOOD.replace('photos', '"photos/*.png"'));

    expect(await resolveSource(workspace, config.images.source ?? 'none')).toBe(
      join(folder, 'photos/*.png'),
    );
  });

  it('is checked in every field of the contract that takes one', () => {
    const schema = configSchema();
    const fields = allKeys(schema).filter((key) => {
      const node = nodeAt(
        schema,
        key.split('.').map((part) => (part === '*' ? 0 : part)),
      );
      return node !== null && withoutNull(node).format === SOURCE_FORMAT;
    });

    expect(fields.sort()).toEqual(Object.keys(SOURCE_FIELDS).sort());
  });
});

describe('an endpoint', () => {
  const yaml = (key: string): string => `${GOOD}generation:
  engine: openai
  openai: { base_url: "https://gpu.example/v1", model: llava, api_key: ${key} }
`;

  it('is registered with the place of its key, which is not read', async () => {
    const config = await load(yaml('env:NOT_SET_HERE'));

    const { openai } = config.generation;
    expect(openai?.api_key).toBe('env:NOT_SET_HERE');
    await expect(
      requireEndpoint(workspace, {
        base_url: 'https://gpu.example/v1',
        api_key: 'env:NOT_SET_HERE',
      }),
    ).resolves.toBeUndefined();
  });

  it('has a key file by id', async () => {
    await writeFile(join(folder, 'key.txt'), 'sk-secret-4711');

    const config = await load(yaml('file:key.txt'));

    const { api_key } = config.generation.openai ?? {};
    expect(await resolveSource(workspace, SourceRef.parse(api_key))).toBe(join(folder, 'key.txt'));
    expect(JSON.stringify(config)).not.toContain('4711');
  });

  it('never has its key repeated in an answer', async () => {
    const answers = await answersTo(yaml('sk-secret-4711'));

    expect(answers.join('\n')).not.toContain('4711');
  });
});

describe('an override', () => {
  it('is typed by YAML and wins over the file', async () => {
    const config = await load(`${GOOD}rounds: 1\n`, [
      'rounds=3',
      'images.max_images=null',
      'decision.stop_without_gain=true',
    ]);

    expect([config.rounds, config.images.max_images, config.decision.stop_without_gain]).toEqual([
      3,
      null,
      true,
    ]);
  });

  it('opens sections that the file has not', async () => {
    const config = await load(GOOD, ['preference_training.lora.r=4']);

    expect(config.preference_training.lora.r).toBe(4);
  });

  it('reaches into lists by number', async () => {
    const config = await load(GOOD, [
      'training_stages.0=preference_training',
      'evaluation.policies=[base]',
    ]);

    expect(config.evaluation.policies).toEqual(['base']);
  });

  it('of two on one key, the later wins', async () => {
    const config = await load(GOOD, ['seed=1', 'seed=2']);

    expect(config.seed).toBe(2);
  });
});
