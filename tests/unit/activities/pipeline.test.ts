/** Images to requests to pairs; the texts are published by hand, as a model process would leave them. */
import { mkdirSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { generationsSpec } from '../../../activities/generation.ts';
import { imagesActivities } from '../../../activities/images.ts';
import { preferenceActivities } from '../../../activities/preference.ts';
import { readRunConfig } from '../../../activities/prepare-run.ts';
import { shardsActivities } from '../../../activities/shards.ts';
import type { ShardSet } from '../../../contract/activities.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { GenerationRequest, PreferenceDraw, PreferencePair } from '../../../contract/records.ts';
import { writeLines } from '../../../store/lines.ts';
import { registerSource } from '../../../store/sources.ts';
import { dependencies, folderOfImages, prepared, SHARED } from './run-workspace.ts';

test('images that do not decode are listed with a reason, and duplicates kept once', async () => {
  const deps = dependencies();
  const { config } = await prepared(deps, join(SHARED, 'images-bad'), {
    images: {
      max_bad_ratio: 1,
      source: await registerSource(deps.workspace, join(SHARED, 'images-bad')),
    },
  });
  const { images: ref, counts } = await imagesActivities(deps).ingestImages({ config });
  expect(counts['images']).toBe(ref.num_records);
  expect(await readdir(join(deps.store.directory(ref), 'files'))).toHaveLength(ref.num_records);
  expect(counts).toMatchObject({ 'quarantined/empty_file': 1 });
  expect(counts['quarantined/too_many_pixels']).toBeGreaterThanOrEqual(2);
});

test('too many bad images end the run with the commonest reasons', async () => {
  const deps = dependencies();
  const { config } = await prepared(deps, join(SHARED, 'images-bad'));
  await expect(imagesActivities(deps).ingestImages({ config })).rejects.toMatchObject({
    code: 'TooManyBadImages',
    message: expect.stringContaining('images.max_bad_ratio allows 1 %') as unknown,
  });
});

test('ingesting again finds the artifact and decodes nothing', async () => {
  const deps = dependencies();
  const { config } = await prepared(deps, await folderOfImages(3));
  const first = await imagesActivities(deps).ingestImages({ config });
  const manifest = join(deps.store.directory(first.images), 'manifest.json');
  const { mtimeMs } = await stat(manifest);
  const store = new Proxy(deps.store, {
    get: (real, name) => {
      // Whatever is decoded is decoded into the work folder.
      if (name === 'workDirectory') throw new Error('work is done again');
      const member: unknown = Reflect.get(real, name);
      return typeof member === 'function' ? (member.bind(real) as unknown) : member;
    },
  });
  const again = await imagesActivities({ ...deps, store }).ingestImages({ config });
  expect(again).toEqual(first);
  expect((await stat(manifest)).mtimeMs).toBe(mtimeMs);
});

test('the same seed draws the same bytes in another workspace, another seed others', async () => {
  const folder = await folderOfImages(6);
  const requestsOf = async (seed: number): Promise<string> => {
    const { deps, shards } = await fanOut(folder, seed);
    const { requests } = await shardsActivities(deps).prepareShard({ shards, shard: 0 });
    return requests.sha256;
  };
  const [first, same, other] = [await requestsOf(1), await requestsOf(1), await requestsOf(2)];
  expect(same).toBe(first);
  expect(other).not.toBe(first);
});

test('shards cover every image once and pairs are joined by request id', async () => {
  const { deps, shards } = await fanOut(await folderOfImages(6), 1, 2);
  const drawn: string[] = [];
  for (const shard of [0, 1]) {
    const { requests } = await shardsActivities(deps).prepareShard({ shards, shard });
    for await (const draw of deps.store.readLines(requests, 'draws.jsonl', PreferenceDraw)) {
      drawn.push(draw.image_id);
      const bytes =
        draw.corrupted_image === null
          ? null
          : await readFile(join(deps.store.directory(requests), draw.corrupted_image.file));
      expect(bytes === null).toBe(draw.rejection_source === 'bad_prompt');
    }
    await answer(deps, shards, requests);
  }
  expect(new Set(drawn).size).toBe(6);
  const { collectPreferencePairs } = preferenceActivities(deps);
  const { preference_pairs, counts } = await collectPreferencePairs({ shards });
  // The last image's texts are equal: the pair teaches nothing.
  expect(counts).toEqual({ pairs: 5, dropped: 1, 'dropped/equal': 1 });
  for await (const pair of deps.store.readLines(preference_pairs, 'pairs.jsonl', PreferencePair)) {
    const { image_id } = pair.provenance;
    expect(pair.chosen[0]?.content[0]?.text).toBe(`a text for ${image_id}/chosen`);
    expect(pair.rejected[0]?.content[0]?.text).toBe(`a text for ${image_id}/rejected`);
  }
});

test('a shard without texts is named, not passed over', async () => {
  const { deps, shards } = await fanOut(await folderOfImages(2), 1);
  await shardsActivities(deps).prepareShard({ shards, shard: 0 });
  await expect(preferenceActivities(deps).collectPreferencePairs({ shards })).rejects.toMatchObject(
    {
      code: 'ArtifactMissing',
    },
  );
});

async function fanOut(
  folder: string,
  seed: number,
  num_shards = 1,
): Promise<{ deps: ActivityDependencies; shards: ShardSet }> {
  const deps = dependencies();
  const { config } = await prepared(deps, folder, { seed });
  const { images } = await imagesActivities(deps).ingestImages({ config });
  const model: ArtifactRef = {
    kind: 'model',
    key: '0'.repeat(32),
    sha256: '0'.repeat(64),
    num_records: 0,
  };
  return {
    deps,
    shards: {
      task: 'preference',
      config,
      round: 1,
      policy: { model, adapter: null },
      source: images,
      num_items: images.num_records,
      num_shards,
    },
  };
}

/** Texts that name their request, in reverse order; of the last image of shard 1 both are equal. */
async function answer(
  deps: ActivityDependencies,
  shards: ShardSet,
  requests: ArtifactRef,
): Promise<void> {
  const { config } = await readRunConfig(deps.store, shards.config);
  const ids: string[] = [];
  for await (const { request_id } of deps.store.readLines(
    requests,
    'requests.jsonl',
    GenerationRequest,
  )) {
    ids.push(request_id);
  }
  const isSecond = (await deps.store.verify(requests)).parameters['shard'] === 1;
  const equal = isSecond ? ids.at(-1)?.split('/')[0] : undefined;
  await deps.store.build(generationsSpec(shards, requests, config), async (directory) => {
    mkdirSync(directory, { recursive: true });
    const texts = ids.map((request_id) => ({
      request_id,
      text: request_id.startsWith(equal ?? '-') ? 'the same' : `a text for ${request_id}`,
      num_tokens: 4,
      finish_reason: 'stop',
    }));
    return await writeLines(join(directory, 'generations.jsonl'), texts.reverse());
  });
}
