/**
 * Loads MathVista's testmini split (lupantech/MathVista 53d5258). The answers file is the predictions
 * file of its scripts, which holds the problems themselves.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { loadedBenchmark } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { type MathvistaQuestion, mathvistaQuery, precisionOfQuery } from './mathvista-query.ts';
import { readJsonFile } from './read-files.ts';
import {
  listOf,
  requiredImage,
  requiredText,
  type TableRecord,
  tableRecords,
  textOf,
} from './records.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'MathVista testmini',
  folders: ['mathvista', 'data'],
  official: ['testmini.json'],
  table: /^MathVista_MINI\.tsv$/i,
  splits: ['testmini'],
  configs: [],
  remedy:
    "Put there folder data of MathVista's repository (testmini.json, images/), or VLMEvalKit's MathVista_MINI.tsv, or the parquet files of split testmini of Hugging Face's AI4Math/MathVista.",
};

/** evaluation/generate_response.py */
const MAX_NEW_TOKENS = 512;

const Metadata = z.looseObject({ skills: z.array(z.string()).default([]) });
const Problem = z.object({
  question: z.string(),
  image: z.string(),
  choices: z.array(z.string()).nullable(),
  unit: z.string().nullable(),
  precision: z.number().nullable(),
  answer: z.string(),
  question_type: z.string(),
  answer_type: z.string(),
  metadata: Metadata,
  query: z.string().optional(),
});

interface Item extends MathvistaQuestion {
  readonly pid: string;
  readonly answer: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly query: string;
  readonly image: BenchmarkImage;
}

export const loadMathvista: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const items =
    layout.kind === 'official'
      ? await officialItems(layout.folder)
      : (await tableRecords(layout)).map(tableItem);
  return loadedBenchmark({
    folder,
    items,
    question: ({ pid, image, query, metadata, question_type, answer }) => ({
      question_id: pid,
      image,
      prompt: query,
      question_type: typeof metadata['task'] === 'string' ? metadata['task'] : question_type,
      answer,
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    // The scorer reads the problems out of the answers file.
    scoringData: {},
    write: (answered) =>
      JSON.stringify(
        Object.fromEntries(
          answered.map(({ item: { image, ...problem }, answer }) => [
            problem.pid,
            { ...problem, image: image.name, response: answer.text },
          ]),
        ),
      ),
  });
};

async function officialItems(folder: string): Promise<Item[]> {
  const file = join(folder, 'testmini.json');
  const problems = Object.entries(await readJsonFile(file, z.record(z.string(), Problem)));
  const images = await imageFiles(
    folder,
    problems.map(([, { image }]) => image),
    `Unpack images.zip of MathVista into ${folder}`,
  );
  return problems.flatMap(([pid, { image: name, query, ...problem }]) => {
    const image = images.get(name);
    const asked = query ?? mathvistaQuery(problem, `${file}, "${pid}"`);
    return image === undefined ? [] : [{ pid, ...problem, query: asked, image }];
  });
}

function tableItem(record: TableRecord): Item {
  const asked = requiredText(record, 'question');
  // VLMEvalKit's table has the whole query in the place of the question.
  const given = textOf(record, 'query') ?? (asked.startsWith('Hint: ') ? asked : null);
  const question = {
    question: asked,
    choices: choicesOf(record),
    unit: textOf(record, 'unit'),
    precision: precisionOf(record) ?? precisionOfQuery(given ?? ''),
    question_type: requiredText(record, 'question_type'),
    answer_type: requiredText(record, 'answer_type'),
  };
  const image = requiredImage(record);
  return {
    ...question,
    pid: textOf(record, 'pid', 'index') ?? String(record.position),
    answer: requiredText(record, 'answer'),
    metadata: metadataOf(record),
    query: given ?? mathvistaQuery(question, record.place),
    image: { ...image, name: textOf(record, 'image_path') ?? image.name },
  };
}

function choicesOf(record: TableRecord): string[] | null {
  if (textOf(record, 'question_type') !== 'multi_choice') return null;
  return listOf(record, 'choices');
}

function precisionOf(record: TableRecord): number | null {
  const precision = Number(textOf(record, 'precision') ?? Number.NaN);
  return Number.isFinite(precision) ? precision : null;
}

/** The breakdowns of the scorer: a struct in parquet files, columns of their own in a TSV. */
function metadataOf(record: TableRecord): Record<string, unknown> {
  const struct = record.cells.get('metadata');
  if (typeof struct === 'object' && struct !== null) {
    const { skills, ...known } = Metadata.parse(struct);
    // Widths and heights are 64-bit integers, which JSON has not.
    const plain = Object.entries(known).map(([name, value]) => {
      return [name, typeof value === 'bigint' ? Number(value) : value] as const;
    });
    return { ...Object.fromEntries(plain), skills };
  }
  const names = ['language', 'source', 'category', 'task', 'context', 'grade'];
  const known = names.flatMap((name) => {
    const value = textOf(record, name);
    return value === null ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(known), skills: listOf(record, 'skills') ?? [] };
}
