/**
 * Loads LLaVA-Bench (in the wild): the bare questions, and what a judge is shown beside an answer
 * (haotian-liu/LLaVA c121f04, llava/eval/{model_vqa,eval_gpt_review_bench}.py).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { jsonLine, llavaLine, loadedBenchmark, numberOrText } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { readJsonLines } from './read-files.ts';
import {
  listOf,
  requiredImage,
  requiredText,
  type TableRecord,
  tableRecords,
  textOf,
} from './records.ts';
import { ScoreInputError } from './scorer.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'LLaVA-Bench (in the wild)',
  folders: ['llava-bench-in-the-wild', 'llavabench'],
  official: ['questions.jsonl', 'context.jsonl', 'answers_gpt4.jsonl'],
  table: /^LLaVABench\.tsv$/i,
  splits: ['train', 'test'],
  configs: [],
  remedy:
    "Put there LLaVA's llava-bench-in-the-wild folder (questions.jsonl, context.jsonl, answers_gpt4.jsonl, images/), or VLMEvalKit's LLaVABench.tsv, or the parquet files of Hugging Face's llava-bench-in-the-wild.",
};

const MAX_NEW_TOKENS = 1024;
const CATEGORIES: readonly string[] = ['conv', 'detail', 'complex'];

const Id = z.union([z.string(), z.number()]).transform(String);
const Question = z.object({
  question_id: Id,
  image: z.string(),
  category: z.string(),
  text: z.string(),
});
const Context = z.object({
  image: z.string(),
  caption: z.union([z.string(), z.array(z.string()).transform((lines) => lines.join('\n'))]),
});
const Reference = z.object({ question_id: Id, text: z.string() });

interface Item {
  readonly id: string;
  readonly category: string;
  readonly question: string;
  /** What people wrote about the picture. */
  readonly caption: string;
  /** GPT-4's answer, which it gave to the caption alone. */
  readonly reference: string;
  readonly image: BenchmarkImage;
}

export const loadLlavabench: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const items =
    layout.kind === 'official'
      ? await officialItems(layout.folder)
      : (await tableRecords(layout)).map(tableItem);
  const stray = items.find(({ category }) => !CATEGORIES.includes(category));
  if (stray !== undefined) {
    throw new ScoreInputError(
      `Expected the categories ${CATEGORIES.join(', ')} in ${folder}, got "${stray.category}" of question ${stray.id}. Is it LLaVA-Bench (in the wild)?`,
    );
  }
  return loadedBenchmark({
    folder,
    items,
    question: ({ id, image, question, category }) => ({
      question_id: id,
      image,
      prompt: question,
      question_type: category,
      answer: null,
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: judgingData(items),
    write: (answered) =>
      answered.map((one) => llavaLine(numberOrText(one.item.id), one.item.question, one)).join(''),
  });
};

/** The scorer needs none of it; the judge does. */
function judgingData(items: readonly Item[]): Record<string, string> {
  const captions = new Map(items.map(({ image, caption }) => [image.name, caption]));
  return {
    'questions.jsonl': items
      .map(({ id, image, category, question: text }) =>
        jsonLine({ question_id: numberOrText(id), image: image.name, category, text }),
      )
      .join(''),
    'context.jsonl': [...captions]
      .map(([image, caption], id) => jsonLine({ id, image, caption }))
      .join(''),
    'answers_gpt4.jsonl': items
      .map(({ id, reference: text }) => jsonLine({ question_id: numberOrText(id), text }))
      .join(''),
  };
}

async function officialItems(folder: string): Promise<Item[]> {
  const questions = await readJsonLines(join(folder, 'questions.jsonl'), Question);
  const contexts = await readJsonLines(join(folder, 'context.jsonl'), Context);
  const references = await readJsonLines(join(folder, 'answers_gpt4.jsonl'), Reference);
  const captionOf = new Map(contexts.map(({ image, caption }) => [image, caption]));
  const referenceOf = new Map(references.map(({ question_id, text }) => [question_id, text]));
  const images = await imageFiles(
    folder,
    questions.map(({ image }) => `images/${image}`),
    `Put the pictures of LLaVA-Bench into ${join(folder, 'images')}`,
  );
  return questions.map(({ question_id: id, image: name, category, text: question }) => {
    const [caption, reference] = [captionOf.get(name), referenceOf.get(id)];
    const image = images.get(`images/${name}`);
    if (caption === undefined || reference === undefined || image === undefined) {
      throw new ScoreInputError(
        `Expected a caption of ${name} in context.jsonl and an answer to question ${id} in answers_gpt4.jsonl of ${folder}, and one of them is missing. Download the three files again.`,
      );
    }
    return { id, category, question, caption, reference, image };
  });
}

function tableItem(record: TableRecord): Item {
  const image = requiredImage(record);
  return {
    id: textOf(record, 'question_id', 'index') ?? String(record.position),
    category: requiredText(record, 'category').replace(/^llava_bench_/, ''),
    question: requiredText(record, 'question'),
    caption: (listOf(record, 'caption') ?? []).join('\n'),
    reference: requiredText(record, 'gpt4_ans', 'gpt_answer'),
    image: { ...image, name: textOf(record, 'image_path', 'image_id') ?? image.name },
  };
}
