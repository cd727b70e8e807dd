/** Photographs and broken files, on the embedded model and on another architecture. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { artifactsDir, pythonDir, pythonExecutable } from '../../store/layout.ts';
import { Workspace } from './workspace.ts';

const SHARED = resolve(process.env['STICFLOW_SHARED'] ?? '../shared');
const TINY_MODELS = fileURLToPath(new URL('../python/tiny_models.py', import.meta.url));

/** What the folder's README wants left out, and the formats that docs/decisions/0004 leaves out. */
const LEFT_OUT = [
  'animated.gif',
  'bad_crc.png',
  'bomb_30000x30000.png',
  'bomb_rgb_12000x12000.png',
  'header_only.jpg',
  'huge_header.png',
  'odd_names/directory.jpg',
  'svg_named.png',
  'text_renamed.jpg',
  'tiled.tiff',
  'tiny.bmp',
  'truncated_half.jpg',
  'vector.svg',
  'zero_byte.jpg',
];
/** The README leaves these to us, as long as every run treats them alike. */
const EITHER = [
  'corrupt_middle.jpg',
  'strip_10x20000.png',
  'strip_20000x10.png',
  'truncated_last_bytes.jpg',
];

let folder: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sticflow-images-')));
  cpSync(join(SHARED, 'images', 'photos'), folder, { recursive: true });
  cpSync(join(SHARED, 'images-bad'), folder, { recursive: true });
  await execa('tar', ['-xf', join(folder, 'odd_names.tar'), '-C', folder]);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test.each(['builtin:scenes/model', 'llava_next'])(
  'photographs among broken files go through a whole round on %s',
  async (model) => {
    await using workspace = new Workspace();
    const source = model.startsWith('builtin:') ? model : await tinyModel(workspace, model);

    const result = await workspace.json([
      'run',
      'scenes-smoke',
      ...['rounds=1', `model.source=${source}`, `images.source=${folder}`, 'images.max_images=null']
        .concat('images.max_bad_ratio=0.5', 'evaluation.max_new_tokens=16')
        // Random weights never come to an end of a text.
        .concat('preference.degenerate.drop_cut=false', 'generation.max_new_tokens=24')
        .flatMap((value) => ['--set', value]),
    ]);

    expect(result['rounds']).toHaveLength(1);
    const quarantined = quarantine(workspace);
    expect(quarantined.filter((name) => !EITHER.includes(name))).toEqual(LEFT_OUT);
  },
);

/** A checkpoint of the real classes with random weights. */
async function tinyModel(workspace: Workspace, family: string): Promise<string> {
  const target = join(workspace.dir, 'checkpoint');
  await execa(pythonExecutable(), [TINY_MODELS, family, target], {
    env: { PYTHONPATH: pythonDir() },
  });
  return target;
}

/** Names of image files that were left out, without what nobody would take for an image. */
function quarantine(workspace: Workspace): string[] {
  const images = join(artifactsDir(workspace.dir), 'images');
  return readdirSync(images)
    .flatMap((key) =>
      readFileSync(join(images, key, 'quarantine.jsonl'), 'utf8')
        .trim()
        .split('\n'),
    )
    .map((line) => fileOf(JSON.parse(line)))
    .filter((name) => !/\.(?:md|tar)$/u.test(name))
    .sort();
}

function fileOf(record: unknown): string {
  if (typeof record === 'object' && record !== null && 'source_name' in record) {
    return String(record.source_name);
  }
  throw new Error(`expected a source_name in ${JSON.stringify(record)}`);
}
