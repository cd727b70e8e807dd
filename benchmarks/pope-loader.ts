/**
 * Loads POPE in the version of LLaVA's question file. Prompts as LLaVA's (c121f04, eval.zip,
 * llava/eval/model_vqa_loader.py). Answers and labels are joined by position, so order is kept.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { jsonLine, llavaLine, loadedBenchmark, numberOrText } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { readJsonLines } from './read-files.ts';
import { requiredImage, requiredText, type TableRecord, tableRecords, textOf } from './records.ts';
import { ScoreInputError } from './scorer.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'POPE',
  folders: ['pope'],
  official: ['llava_pope_test.jsonl'],
  table: /^POPE\.tsv$/i,
  splits: ['test', 'adversarial', 'random', 'popular'],
  configs: ['Full'],
  remedy:
    "Put there LLaVA's pope folder (llava_pope_test.jsonl, coco/coco_pope_*.json, val2014/), or VLMEvalKit's POPE.tsv, or the parquet files of split test of Hugging Face's POPE.",
};

const INSTRUCTION = 'Answer the question using a single word or phrase.';
const MAX_NEW_TOKENS = 128;

/** Where the ids of a category begin in LLaVA's question file, in the order of that file. */
const FIRST_IDS: ReadonlyMap<string, number> = new Map([
  ['adversarial', 1],
  ['random', 10_000_001],
  ['popular', 20_000_001],
]);

const Id = z.union([z.string(), z.number()]).transform(String);
const LlavaQuestion = z.object({
  question_id: Id,
  image: z.string(),
  text: z.string(),
  category: z.string(),
});
const Label = z.object({ image: z.string(), text: z.string(), label: z.enum(['yes', 'no']) });

interface Item {
  readonly id: string;
  readonly category: string;
  /** The file name in COCO, where the data say it. */
  readonly imageName: string;
  readonly question: string;
  readonly prompt: string;
  readonly label: 'yes' | 'no';
  readonly image: BenchmarkImage;
}

export const loadPope: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const items =
    layout.kind === 'official'
      ? await officialItems(layout.folder)
      : tableItems(await tableRecords(layout));
  return loadedBenchmark({
    folder,
    items,
    question: ({ id, image, prompt, category, label }) => ({
      question_id: id,
      image,
      prompt,
      question_type: category,
      answer: label,
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: scoringData(items),
    write: (answered) =>
      answered.map((one) => llavaLine(numberOrText(one.item.id), one.item.prompt, one)).join(''),
  });
};

function scoringData(items: readonly Item[]): Record<string, string> {
  const questions = items.map(({ id, imageName: image, prompt: text, category }) =>
    jsonLine({ question_id: numberOrText(id), image, text, category }),
  );
  const labels = new Map<string, string[]>();
  for (const { category, imageName: image, question: text, label } of items) {
    const lines = labels.get(category) ?? [];
    lines.push(jsonLine({ question_id: lines.length + 1, image, text, label }));
    labels.set(category, lines);
  }
  return {
    'llava_pope_test.jsonl': questions.join(''),
    ...Object.fromEntries(
      [...labels].map(([category, lines]) => [`coco/coco_pope_${category}.json`, lines.join('')]),
    ),
  };
}

async function officialItems(folder: string): Promise<Item[]> {
  const questions = await readJsonLines(join(folder, 'llava_pope_test.jsonl'), LlavaQuestion);
  const labels = await officialLabels(folder);
  const images = await imageFiles(
    folder,
    questions.map(({ image }) => `val2014/${image}`),
    `Unpack val2014.zip of COCO into ${folder}`,
  );
  const asked = new Map<string, number>();
  return questions.map(({ question_id: id, image: imageName, text: prompt, category }) => {
    const position = asked.get(category) ?? 0;
    asked.set(category, position + 1);
    const label = labels.get(category)?.[position];
    const image = images.get(`val2014/${imageName}`);
    if (label?.image !== imageName || !prompt.startsWith(label.text) || image === undefined) {
      throw new ScoreInputError(
        `Expected coco/coco_pope_${category}.json of ${folder} to have the questions of llava_pope_test.jsonl in the same order, and line ${position + 1} is not question ${id}. LLaVA's file asks 2,910 random questions; label files with 3,000 are of another version.`,
      );
    }
    return { id, category, imageName, question: label.text, prompt, label: label.label, image };
  });
}

async function officialLabels(
  folder: string,
): Promise<ReadonlyMap<string, readonly z.infer<typeof Label>[]>> {
  const names = await readdir(join(folder, 'coco')).catch((cause: unknown) => {
    throw new ScoreInputError(
      `Expected the label files coco_pope_*.json in ${join(folder, 'coco')}. Put them there.`,
      { cause },
    );
  });
  const labels = new Map<string, z.infer<typeof Label>[]>();
  for (const name of names) {
    const category = /^coco_pope_(\w+)\.json$/.exec(name)?.[1];
    if (category === undefined) continue;
    labels.set(category, await readJsonLines(join(folder, 'coco', name), Label));
  }
  return labels;
}

/** A row of VLMEvalKit's table stands for every category that it names; each is asked of its own. */
function tableItems(records: readonly TableRecord[]): Item[] {
  const rows = records.flatMap((record) =>
    requiredText(record, 'category')
      .split(',')
      .map((category) => ({ record, category: category.trim() })),
  );
  const stray = rows.find(({ category }) => !FIRST_IDS.has(category));
  if (stray !== undefined) {
    throw new ScoreInputError(
      `Expected column "category" at ${stray.record.place} to be of ${[...FIRST_IDS.keys()].join(', ')}, got "${stray.category}". Is it the table of POPE?`,
    );
  }
  return [...FIRST_IDS].flatMap(([category, firstId]) =>
    rows
      .filter((row) => row.category === category)
      .map(({ record }, position) => tableItem(record, category, String(firstId + position))),
  );
}

function tableItem(record: TableRecord, category: string, id: string): Item {
  const image = requiredImage(record);
  const source = textOf(record, 'image_source');
  const imageName = source === null ? image.name : `${source.replace(/\.jpg$/, '')}.jpg`;
  // VLMEvalKit's table brings an instruction of its own.
  const question = requiredText(record, 'question')
    .replace(/\s*Please answer yes or no\.\s*$/i, '')
    .trim();
  const label = requiredText(record, 'answer').trim().toLowerCase();
  if (label !== 'yes' && label !== 'no') {
    throw new ScoreInputError(
      `Expected column "answer" at ${record.place} to be yes or no, got "${label}". Is it the table of POPE?`,
    );
  }
  return {
    id,
    category,
    imageName,
    question,
    prompt: popePrompt(question),
    label,
    image: { ...image, name: imageName },
  };
}

export function popePrompt(question: string): string {
  return `${question}\n${INSTRUCTION}`;
}
