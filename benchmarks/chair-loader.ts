/**
 * Loads the pictures of CHAIR: those COCO val2014 pictures whose objects the data list. Prompt and
 * limit as in OPERA (shikiw/OPERA 61426ef, chair_eval.py); a lower limit moves CHAIRs by tens of points.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { jsonLine, loadedBenchmark } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type Layout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { readJsonFile } from './read-files.ts';
import { type TableRecord, tableRecords, textOf } from './records.ts';
import { ScoreInputError } from './scorer.ts';

const REMEDY =
  "Put there image_objects.json (COCO classes by image id) and object_synonyms.json, as read out of CHAIR's chair.pkl, and beside them COCO's val2014/, or VLMEvalKit's COCO_VAL.tsv, or the parquet files of split val of Hugging Face's COCO-Caption.";

const SEARCH: LayoutSearch = {
  benchmark: 'CHAIR',
  folders: ['chair'],
  official: ['val2014'],
  table: /^COCO_VAL\.tsv$/i,
  splits: ['val'],
  configs: [],
  remedy: REMEDY,
};

const PROMPT = 'Please describe this image in detail.';
const MAX_NEW_TOKENS = 512;

const ImageObjects = z.record(z.string(), z.array(z.string()));

interface Item {
  readonly imageId: string;
  readonly objects: readonly string[];
  readonly image: BenchmarkImage;
}

export const loadChair: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const { data, objects } = await truth(folder);
  const images = await imagesById(layout, Object.keys(objects));
  const items = Object.entries(objects).map(([imageId, found]): Item => {
    const image = images.get(imageId);
    if (image !== undefined) return { imageId, objects: found, image };
    throw new ScoreInputError(
      `Expected the pictures of image_objects.json in ${folder}, and that with id ${imageId} is not there. ${REMEDY}`,
    );
  });
  return loadedBenchmark({
    folder,
    items,
    question: ({ imageId, image, objects: names }) => ({
      question_id: imageId,
      image,
      prompt: PROMPT,
      question_type: 'description',
      answer: names.join(', '),
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: data,
    write: (answered) =>
      answered
        .map(({ item, answer: { prompt, text } }) =>
          jsonLine({ image_id: item.imageId, prompt, caption: text }),
        )
        .join(''),
  });
};

/** The two files that no layout of pictures has, as they stand. */
async function truth(
  folder: string,
): Promise<{ data: Record<string, string>; objects: z.infer<typeof ImageObjects> }> {
  for (const place of [folder, join(folder, 'chair')]) {
    const path = join(place, 'image_objects.json');
    const text = await readFile(path, 'utf8').catch(() => null);
    const synonyms = await readFile(join(place, 'object_synonyms.json'), 'utf8').catch(() => null);
    if (text === null || synonyms === null) continue;
    const objects = await readJsonFile(path, ImageObjects);
    return { data: { 'image_objects.json': text, 'object_synonyms.json': synonyms }, objects };
  }
  throw new ScoreInputError(
    `Expected image_objects.json and object_synonyms.json in ${folder}. ${REMEDY}`,
  );
}

async function imagesById(
  layout: Layout,
  ids: readonly string[],
): Promise<ReadonlyMap<string, BenchmarkImage>> {
  if (layout.kind === 'official') {
    const names = new Map(ids.map((id) => [id, `val2014/${cocoName(id)}`]));
    const files = await imageFiles(
      layout.folder,
      [...names.values()],
      `Unpack val2014.zip of COCO into ${layout.folder}`,
    );
    return new Map(
      [...names].flatMap(([id, name]) => {
        const image = files.get(name);
        return image === undefined ? [] : [[id, image] as const];
      }),
    );
  }
  return new Map(
    (await tableRecords(layout)).flatMap((record) => {
      const { image } = record;
      const id = imageId(record);
      return image === null ? [] : [[id, { ...image, name: cocoName(id) }] as const];
    }),
  );
}

function cocoName(id: string): string {
  return `COCO_val2014_${id.padStart(12, '0')}.jpg`;
}

/** Parquet files name the file, whose digits are the id. */
function imageId(record: TableRecord): string {
  const file = textOf(record, 'file_name', 'question_id', 'image_path') ?? '';
  const digits = /(\d+)(?:\.jpg)?$/.exec(file)?.[1];
  return textOf(record, 'image_id') ?? String(Number(digits ?? textOf(record, 'index')));
}
