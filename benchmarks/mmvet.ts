/**
 * MM-Vet from recorded grades (yuweihao/MM-Vet acde843, mm-vet_evaluator.py): mean grade x 100 by
 * capability and by set of capabilities, over several runs of the judge.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { pythonFloat } from './python-float.ts';
import { numpyRound } from './python-round.ts';
import { readJsonFile } from './read-files.ts';
import {
  type BenchmarkScore,
  type ItemScore,
  type Metrics,
  type ScoreFiles,
  ScoreInputError,
} from './scorer.ts';

const Questions = z.record(z.string(), z.object({ capability: z.array(z.string()) }));
const Answers = z.record(z.string(), z.string());
const Grades = z.record(
  z.string(),
  z.object({ score: z.array(z.number()), content: z.array(z.string()).default([]) }),
);
type Grades = z.infer<typeof Grades>;

/** As printed; the paper's tables have one decimal. */
const DECIMALS = 1;

interface Judged {
  readonly id: string;
  readonly capabilities: readonly string[];
  /** One a run, 0..1. */
  readonly grades: readonly number[];
}

export async function scoreMmvet(files: ScoreFiles): Promise<BenchmarkScore> {
  if (files.judgements === null) {
    throw new ScoreInputError(
      'Expected --judgements with the recorded grades: MM-Vet cannot be scored without a judge.',
    );
  }
  const questions = await readJsonFile(join(files.data, 'mm-vet.json'), Questions);
  const answers = await readJsonFile(files.answers, Answers);
  const grades = await readJsonFile(files.judgements, Grades);
  const gradesOf = files.parser === 'official' ? recordedGrades : gradesReadAgain;
  const lengths = Object.values(grades).map(({ score }) => score.length);
  // No grade at all is a run without grades, not endless runs.
  const numRuns = lengths.length === 0 ? 1 : Math.max(1, Math.min(...lengths));
  const judged: Judged[] = [];
  const items: ItemScore[] = [];
  for (const [id, { capability }] of Object.entries(questions)) {
    const given = answers[id] === undefined ? [] : gradesOf(grades, id).slice(0, numRuns);
    // A failed judgement is missing, never a made-up 0; the share that is judged stands beside.
    const isJudged = given.length === numRuns;
    if (isJudged) judged.push({ id, capabilities: [...new Set(capability)].sort(), grades: given });
    const score = isJudged ? mean(given) : null;
    items.push({ item_id: id, parsed: isJudged ? given.join(' ') : null, score });
  }
  const single = (item: Judged): readonly string[] => item.capabilities;
  const joined = (item: Judged): readonly string[] => [item.capabilities.join('_')];
  return {
    metrics: {
      cap_score: averages(judged, single, numRuns),
      cap_int_score: averages(judged, joined, numRuns),
    },
    unparsed: items.filter(({ score }) => score === null).length,
    items,
  };
}

function recordedGrades(grades: Grades, id: string): readonly number[] {
  return grades[id]?.score ?? [];
}

/** Ours: the first number in what the judge wrote, where it lies between 0 and 1. */
function gradesReadAgain(grades: Grades, id: string): readonly number[] {
  return (grades[id]?.content ?? []).flatMap((content) => {
    const value = pythonFloat(/\d*\.?\d+/.exec(content.slice(0, 1000))?.[0] ?? '');
    return value === null || value > 1 ? [] : [value];
  });
}

function averages(
  judged: readonly Judged[],
  groupsOf: (item: Judged) => readonly string[],
  numRuns: number,
): Metrics {
  const groups = new Map<string, Judged[]>();
  for (const item of judged) {
    for (const name of groupsOf(item)) groups.set(name, [...(groups.get(name) ?? []), item]);
  }
  const bySize = [...groups].sort(([, a], [, b]) => b.length - a.length);
  const totals = runScores(judged, numRuns);
  return {
    ...Object.fromEntries(
      bySize.map(([name, items]) => [name, rounded(mean(runScores(items, numRuns)))]),
    ),
    total: rounded(mean(totals)),
    std: rounded(deviation(totals)),
    runs: totals.map(rounded),
  };
}

/** Per run of the judge: the mean grade x 100, summed in the order of the questions. */
function runScores(items: readonly Judged[], numRuns: number): number[] {
  return Array.from({ length: numRuns }, (_, run) => {
    const sum = items.reduce((total, { grades }) => total + (grades[run] ?? 0), 0);
    return (sum / items.length) * 100;
  });
}

function rounded(value: number): number | null {
  return Number.isNaN(value) ? null : numpyRound(value, DECIMALS);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the whole population, as NumPy's `std`. */
function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}
