/**
 * MathVista from a published predictions file (lupantech/MathVista 53d5258,
 * evaluation/{extract_answer,calculate_score}.py). Without a recorded extraction the rules alone read
 * the response; benchmarks/judging/mathvista.ts asks a judge.
 */
import { z } from 'zod';
import {
  extractByRules,
  isTruth,
  MathvistaProblem,
  normalizeExtraction,
  normalizeRobustly,
} from './mathvista-answers.ts';
import { strip } from './python-text.ts';
import { readJsonFile } from './read-files.ts';
import { type BenchmarkScore, type Metrics, type ScoreFiles, share } from './scorer.ts';

/** Breakdowns, in the order of the script; a problem counts for each of its skills. */
const BREAKDOWNS = [
  'question_type',
  'answer_type',
  'language',
  'source',
  'category',
  'task',
  'context',
  'grade',
  'skills',
] as const;

interface Scored {
  readonly item_id: string;
  readonly problem: MathvistaProblem;
  readonly prediction: string | null;
  readonly isRight: boolean;
  readonly isEmpty: boolean;
}

export async function scoreMathvista(files: ScoreFiles): Promise<BenchmarkScore> {
  const problems = await readJsonFile(files.answers, z.record(z.string(), MathvistaProblem));
  const normalize = files.parser === 'official' ? normalizeExtraction : normalizeRobustly;
  const all = Object.entries(problems);
  const unjudged = all.filter(([, { judgement_missing }]) => judgement_missing);
  const judged = all.filter(([, { judgement_missing }]) => !judgement_missing);
  const scored = judged.map(([item_id, problem]): Scored => {
    const extraction = problem.extraction ?? extractByRules(problem.response ?? '', problem, 'off');
    const prediction = normalize(extraction, problem);
    const isEmpty = strip(extraction) === '';
    return { item_id, problem, prediction, isEmpty, isRight: isTruth(prediction, problem) };
  });
  const breakdowns = BREAKDOWNS.map((key) => [key, breakdown(scored, key)] as const);
  const average = tally(scored);
  // The script's other mode: an empty extraction of a multiple-choice question chooses nothing.
  const ignoringEmpty = scored.map((item) => ({
    isRight: item.isRight && !(item.isEmpty && item.problem.question_type === 'multi_choice'),
  }));
  const hits = scored.filter(
    ({ problem }) => extractByRules(problem.response ?? '', problem, 'on') !== '',
  );
  return {
    metrics: {
      scores: { average, ...Object.fromEntries(breakdowns) },
      average_with_ignore_empty_extractions_flag: tally(ignoringEmpty),
      rule_only_extraction_hits: hits.length,
    },
    unparsed:
      unjudged.length +
      scored.filter(({ isEmpty, prediction }) => isEmpty || prediction === null).length,
    items: [
      ...scored.map(({ item_id, prediction, isRight }) => ({
        item_id,
        parsed: prediction,
        score: isRight ? 1 : 0,
      })),
      ...unjudged.map(([item_id]) => ({ item_id, parsed: null, score: null })),
    ],
  };
}

function breakdown(scored: readonly Scored[], key: (typeof BREAKDOWNS)[number]): Metrics {
  const groups = new Map<string, Scored[]>();
  for (const item of scored) {
    for (const value of new Set(valuesOf(item.problem, key))) {
      groups.set(value, [...(groups.get(value) ?? []), item]);
    }
  }
  const tallied = [...groups].map(([value, items]) => [value, tally(items)] as const);
  return Object.fromEntries(tallied.sort(([, a], [, b]) => (b.accuracy ?? 0) - (a.accuracy ?? 0)));
}

/** A field of the metadata wins over one of the problem with the same name, as in the script. */
function valuesOf(problem: MathvistaProblem, key: (typeof BREAKDOWNS)[number]): readonly string[] {
  if (key === 'skills') return problem.metadata.skills;
  const own = key === 'question_type' || key === 'answer_type' ? problem[key] : undefined;
  const value = problem.metadata[key] ?? own;
  return typeof value === 'string' ? [value] : [];
}

function tally(items: readonly Pick<Scored, 'isRight'>[]) {
  const correct = items.filter(({ isRight }) => isRight).length;
  return { accuracy: share(correct, items.length), correct, total: items.length };
}
