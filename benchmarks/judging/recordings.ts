/**
 * Recorded judgements: the files that the official scripts write, and our own `judgements.jsonl`. A
 * recording is what a judge wrote; it is read and counted as if the judge had just replied.
 */
import { z } from 'zod';
import type { JudgedBenchmark } from '../../contract/config-judge.ts';
import { Judgement } from '../../contract/judgements.ts';
import { MathvistaProblem } from '../mathvista-answers.ts';
import { readJsonFile, readJsonLines } from '../read-files.ts';
import { ScoreInputError } from '../scorer.ts';

export interface Recorded {
  readonly item_id: string;
  readonly run: number;
  readonly text: string | null;
  /** As the recording names it. */
  readonly served_model: string | null;
}

const Review = z.object({
  question_id: z.union([z.string(), z.number()]).transform(String),
  content: z.string(),
});
const Grades = z.record(
  z.string(),
  z.object({ model: z.array(z.string()).default([]), content: z.array(z.string()) }),
);
const Extractions = z.record(z.string(), MathvistaProblem.pick({ extraction: true }));

/** All recordings of one benchmark, with runs counted on from file to file. */
export async function readRecordings(
  benchmark: JudgedBenchmark,
  paths: readonly string[],
): Promise<Recorded[]> {
  const all: Recorded[] = [];
  for (const path of paths) {
    const runsBefore = all.reduce((most, { run }) => Math.max(most, run), 0);
    for (const recorded of await readRecording(benchmark, path)) {
      all.push({ ...recorded, run: runsBefore + recorded.run });
    }
  }
  return all;
}

async function readRecording(benchmark: JudgedBenchmark, path: string): Promise<Recorded[]> {
  const areLines = /\.jsonl$/i.test(path);
  switch (benchmark) {
    case 'llavabench': {
      const rows = await readJsonLines(path, z.union([Judgement, Review]));
      return rows.map((row) =>
        'item_id' in row
          ? row
          : { item_id: row.question_id, run: 1, text: row.content, served_model: null },
      );
    }
    case 'mmvet':
      return areLines ? await readJsonLines(path, Judgement) : await readGrades(path);
    case 'mathvista':
      return areLines ? await readJsonLines(path, Judgement) : await readExtractions(path);
    case 'mmbench':
      if (areLines) return await readJsonLines(path, Judgement);
      throw new ScoreInputError(
        `Expected a recording of MMBench judgements to be a judgements.jsonl of an earlier judging, got ${path}. Name that file.`,
      );
  }
}

async function readGrades(path: string): Promise<Recorded[]> {
  const grades = await readJsonFile(path, Grades);
  return Object.entries(grades).flatMap(([item_id, { model, content }]) =>
    content.map((text, index) => ({
      item_id,
      run: index + 1,
      text,
      served_model: model[index] ?? null,
    })),
  );
}

async function readExtractions(path: string): Promise<Recorded[]> {
  const problems = await readJsonFile(path, Extractions);
  return Object.entries(problems).flatMap(([item_id, { extraction }]) =>
    extraction === undefined ? [] : [{ item_id, run: 1, text: extraction, served_model: null }],
  );
}
