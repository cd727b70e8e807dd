/**
 * Loads ChartQA's test split, questions of people and augmented ones. There is no script of LLaVA's for
 * it: prompt and limit are lmms-eval's (75571cf, lmms_eval/tasks/chartqa/chartqa.yaml).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { jsonLine, loadedBenchmark } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type Layout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { parseTextList } from './python-literal.ts';
import { readJsonFile } from './read-files.ts';
import { requiredImage, requiredText, type TableRecord, tableRecords } from './records.ts';
import { ScoreInputError } from './scorer.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'ChartQA',
  folders: ['chartqa', 'ChartQA Dataset', 'test'],
  official: ['test_human.json', 'test_augmented.json'],
  table: /^ChartQA_TEST\.tsv$/i,
  splits: ['test'],
  configs: [],
  remedy:
    "Put there folder test of the ChartQA data set (test_human.json, test_augmented.json, png/), or VLMEvalKit's ChartQA_TEST.tsv, or the parquet files of split test of Hugging Face's ChartQA.",
};

const INSTRUCTION = 'Answer the question with a single word.';
const MAX_NEW_TOKENS = 16;

const Questions = z.array(z.object({ imgname: z.string(), query: z.string(), label: z.string() }));

type Source = 'human' | 'augmented';

interface Item {
  readonly source: Source;
  readonly question: string;
  readonly target: string;
  readonly image: BenchmarkImage;
}

export const loadChartqa: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const items =
    layout.kind === 'official'
      ? await officialItems(layout.folder)
      : (await tableRecords(layout)).map((record) => tableItem(record, layout.kind));
  const ids = idsOf(items);
  return loadedBenchmark({
    folder,
    items,
    question: (item) => ({
      question_id: ids.get(item) ?? '',
      image: item.image,
      prompt: `${item.question}\n${INSTRUCTION}`,
      question_type: item.source,
      answer: item.target,
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    // The scorer reads the targets out of the answers file.
    scoringData: {},
    write: (answered) =>
      answered
        .map(({ item, question: { question_id }, answer: { prompt, text } }) => {
          const { source, question: query, target } = item;
          return jsonLine({ question_id, source, query, target, prompt, text });
        })
        .join(''),
  });
};

/** `human_0`, `augmented_0`, ...: the data set numbers neither. */
function idsOf(items: readonly Item[]): ReadonlyMap<Item, string> {
  const counts = { human: 0, augmented: 0 };
  return new Map(items.map((item) => [item, `${item.source}_${counts[item.source]++}`]));
}

async function officialItems(folder: string): Promise<Item[]> {
  const rows: { source: Source; imgname: string; query: string; label: string }[] = [];
  for (const source of ['human', 'augmented'] as const) {
    const questions = await readJsonFile(join(folder, `test_${source}.json`), Questions);
    rows.push(...questions.map((row) => ({ source, ...row })));
  }
  const images = await imageFiles(
    folder,
    rows.map(({ imgname }) => `png/${imgname}`),
    `Put folder png of ChartQA's test split to ${join(folder, 'png')}`,
  );
  return rows.flatMap(({ source, imgname, query, label }) => {
    const image = images.get(`png/${imgname}`);
    return image === undefined ? [] : [{ source, question: query, target: label, image }];
  });
}

function tableItem(record: TableRecord, kind: Layout['kind']): Item {
  return {
    source: sourceOf(requiredText(record, 'type', 'split'), record.place),
    question: requiredText(record, 'question', 'query'),
    target: targetOf(record, kind),
    image: requiredImage(record),
  };
}

/**
 * VLMEvalKit's table wraps the answer into a list of one; an answer that is a list itself, such as
 * `[Yes, No]`, stands as it is in both.
 */
function targetOf(record: TableRecord, kind: Layout['kind']): string {
  const answer = requiredText(record, 'answer', 'label');
  if (kind !== 'tsv') return answer;
  try {
    const [only = answer, ...others] = parseTextList(answer, record.place);
    return others.length === 0 ? only : answer;
  } catch (error) {
    if (error instanceof ScoreInputError) return answer;
    throw error;
  }
}

/** `human_test` in parquet files, `test_human` in VLMEvalKit's table. */
function sourceOf(text: string, place: string): Source {
  if (text.includes('human')) return 'human';
  if (text.includes('augmented')) return 'augmented';
  throw new ScoreInputError(
    `Expected column "type" or "split" at ${place} to say human or augmented, got "${text}". Is it the table of ChartQA's test split?`,
  );
}
