/** Loads MM-Vet: the bare questions (haotian-liu/LLaVA c121f04, llava/eval/model_vqa.py). */
import { join } from 'node:path';
import { z } from 'zod';
import { loadedBenchmark } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { readJsonFile } from './read-files.ts';
import { listOf, requiredImage, requiredText, type TableRecord, tableRecords } from './records.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'MM-Vet',
  // LLaVA's documentation writes mmvet, its scripts read mm-vet.
  folders: ['mm-vet'],
  official: ['mm-vet.json'],
  table: /^MMVet\.tsv$/i,
  splits: ['test'],
  configs: [],
  remedy:
    "Put there LLaVA's mm-vet folder (mm-vet.json, images/), or VLMEvalKit's MMVet.tsv, or the parquet files of Hugging Face's MMVet.",
};

const MAX_NEW_TOKENS = 1024;

const Questions = z.record(
  z.string(),
  z.object({
    imagename: z.string(),
    question: z.string(),
    answer: z.string(),
    capability: z.array(z.string()).min(1),
  }),
);

interface Item {
  readonly id: string;
  readonly question: string;
  /** `<AND>` and `<OR>` between its parts. */
  readonly answer: string;
  readonly capability: readonly string[];
  readonly image: BenchmarkImage;
}

export const loadMmvet: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const items =
    layout.kind === 'official'
      ? await officialItems(layout.folder)
      : (await tableRecords(layout)).map(tableItem);
  const questions = items.map(({ id, image, question, answer, capability }) => {
    return [id, { imagename: image.name, question, answer, capability }] as const;
  });
  return loadedBenchmark({
    folder,
    items,
    question: ({ id, image, question, answer, capability }) => ({
      question_id: id,
      image,
      prompt: question,
      question_type: [...new Set(capability)].sort().join('_'),
      answer,
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: { 'mm-vet.json': JSON.stringify(Object.fromEntries(questions)) },
    write: (answered) =>
      JSON.stringify(
        Object.fromEntries(answered.map(({ item, answer }) => [item.id, answer.text])),
      ),
  });
};

async function officialItems(folder: string): Promise<Item[]> {
  const questions = Object.entries(await readJsonFile(join(folder, 'mm-vet.json'), Questions));
  const images = await imageFiles(
    folder,
    questions.map(([, { imagename }]) => `images/${imagename}`),
    `Unpack mm-vet.zip so that its pictures lie in ${join(folder, 'images')}`,
  );
  return questions.flatMap(([id, { imagename, ...question }]) => {
    const image = images.get(`images/${imagename}`);
    return image === undefined ? [] : [{ id, ...question, image }];
  });
}

function tableItem(record: TableRecord): Item {
  const id = requiredText(record, 'question_id', 'index');
  const capability = listOf(record, 'capability', 'category') ?? [];
  return {
    // VLMEvalKit's table numbers the questions, the official file calls number 7 v1_7.
    id: /^\d+$/.test(id) ? `v1_${id}` : id,
    question: requiredText(record, 'question'),
    answer: requiredText(record, 'answer'),
    capability: capability.flatMap((names) => names.split(/\s*,\s*/)).filter((name) => name !== ''),
    image: requiredImage(record),
  };
}
