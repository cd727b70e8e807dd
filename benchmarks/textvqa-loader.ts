/**
 * Loads TextVQA's validation split. Prompts as in LLaVA's question file (eval.zip), which names OCR
 * tokens; without such tokens in the data there is no line of them, and scores are far lower.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { llavaLine, loadedBenchmark } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { findFile, readJsonFile, readJsonLines } from './read-files.ts';
import {
  listOf,
  requiredImage,
  requiredText,
  type TableRecord,
  tableRecords,
  textOf,
} from './records.ts';
import { ScoreInputError } from './scorer.ts';
import { Annotations, NUM_ANSWERS, questionOf } from './textvqa.ts';

const ANNOTATION_FILE = /^TextVQA_.*\.json$/i;

const SEARCH: LayoutSearch = {
  benchmark: 'TextVQA',
  folders: ['textvqa'],
  official: ANNOTATION_FILE,
  table: /^TextVQA_VAL\.tsv$/i,
  splits: ['validation'],
  configs: ['textvqa'],
  remedy:
    "Put there LLaVA's textvqa folder (TextVQA_0.5.1_val.json, llava_textvqa_val_v051_ocr.jsonl, train_images/), or VLMEvalKit's TextVQA_VAL.tsv, or the parquet files of split validation of Hugging Face's textvqa.",
};

const QUESTION_FILE = 'llava_textvqa_val_v051_ocr.jsonl';
const INSTRUCTION = 'Answer the question using a single word or phrase.';
/** LLaVA c121f04, llava/eval/model_vqa_loader.py */
const MAX_NEW_TOKENS = 128;

const LlavaQuestion = z.object({ question_id: z.string(), image: z.string(), text: z.string() });

interface Item {
  readonly imageId: string;
  /** One line, as the people wrote it. */
  readonly question: string;
  readonly answers: readonly string[];
  readonly prompt: string;
  readonly image: BenchmarkImage;
}

export const loadTextvqa: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const items =
    layout.kind === 'official'
      ? await officialItems(layout.folder)
      : (await tableRecords(layout)).map(tableItem);
  const ids = uniqueIds(items);
  return loadedBenchmark({
    folder,
    items,
    question: (item) => ({
      question_id: ids.get(item) ?? '',
      image: item.image,
      prompt: item.prompt,
      question_type: item.prompt.includes('\nReference OCR token: ') ? 'with_ocr' : 'without_ocr',
      answer: mostFrequent(item.answers),
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: {
      'TextVQA_0.5.1_val.json': JSON.stringify({
        data: items.map(({ imageId, question, answers }) => ({
          image_id: imageId,
          question,
          answers,
        })),
      }),
    },
    write: (answered) =>
      answered.map((one) => llavaLine(one.item.imageId, one.question.prompt, one)).join(''),
  });
};

/**
 * First letter in upper case, a line of OCR tokens unless `ocrTokens` is null, the instruction. The
 * scorer reads the question back out of the prompt, line by line, so each part is one line.
 */
export function textvqaPrompt(question: string, ocrTokens: readonly string[] | null): string {
  const first = question.charAt(0).toUpperCase() + question.slice(1);
  const tokens =
    ocrTokens === null ? [] : [`Reference OCR token: ${ocrTokens.map(oneLine).join(', ')}`];
  return [oneLine(first), ...tokens, INSTRUCTION].join('\n');
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}

/** As the scorer names its items; the same question about the same image again gets a number. */
function uniqueIds(items: readonly Item[]): ReadonlyMap<Item, string> {
  const counts = new Map<string, number>();
  return new Map(
    items.map((item) => {
      const id = `${item.imageId} ${item.question.toLowerCase()}`;
      const count = (counts.get(id) ?? 0) + 1;
      counts.set(id, count);
      return [item, count === 1 ? id : `${id} #${count}`] as const;
    }),
  );
}

function mostFrequent(answers: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}

async function officialItems(folder: string): Promise<Item[]> {
  const annotationFile = await findFile(folder, ANNOTATION_FILE, 'TextVQA_0.5.1_val.json');
  const { data } = await readJsonFile(annotationFile, Annotations);
  const annotations = new Map(
    data.map((annotation) => [key(annotation.image_id, annotation.question), annotation]),
  );
  const asked = await llavaQuestions(folder, data);
  const images = await imageFiles(
    folder,
    asked.map(({ image }) => `train_images/${image}`),
    `Unpack train_val_images.zip of TextVQA as ${join(folder, 'train_images')}`,
  );
  return asked.map(({ question_id, image: name, text }) => {
    const annotation = annotations.get(key(question_id, questionOf(text) ?? ''));
    const image = images.get(`train_images/${name}`);
    if (annotation === undefined || image === undefined) {
      throw new ScoreInputError(
        `Expected the questions of ${QUESTION_FILE} in ${annotationFile}, and that about image "${question_id}" is not there: ${JSON.stringify(text.slice(0, 120))}. Are both of version 0.5.1?`,
      );
    }
    const { image_id: imageId, question, answers } = annotation;
    return { imageId, question: oneLine(question), answers, prompt: text, image };
  });
}

/** LLaVA's questions; without its file the same ones without OCR tokens. */
async function llavaQuestions(
  folder: string,
  data: z.infer<typeof Annotations>['data'],
): Promise<z.infer<typeof LlavaQuestion>[]> {
  const file = join(folder, QUESTION_FILE);
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) return readJsonLines(file, LlavaQuestion);
  return data.map(({ image_id, question }) => ({
    question_id: image_id,
    image: `${image_id}.jpg`,
    text: textvqaPrompt(question, null),
  }));
}

function key(imageId: string, question: string): string {
  return JSON.stringify([imageId, oneLine(question).toLowerCase()]);
}

function tableItem(record: TableRecord): Item {
  const image = requiredImage(record);
  const imageId = textOf(record, 'image_id') ?? image.name;
  const question = oneLine(requiredText(record, 'question'));
  const answers = listOf(record, 'answers', 'answer') ?? [];
  if (answers.length !== NUM_ANSWERS) {
    throw new ScoreInputError(
      `Expected a list of ${NUM_ANSWERS} answers in column "answers" or "answer" at ${record.place}, got ${answers.length}. Is it the table of TextVQA's validation split?`,
    );
  }
  return {
    imageId,
    question,
    answers,
    prompt: textvqaPrompt(question, listOf(record, 'ocr_tokens')),
    image: { ...image, name: imageId },
  };
}
