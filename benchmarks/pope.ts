/**
 * POPE as LLaVA scores it (haotian-liu/LLaVA c121f04, llava/eval/eval_pope.py): is the object there,
 * yes or no, by category of negative object.
 */

import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { statedAnswer } from './answer-text.ts';
import { findFile, readJsonLines } from './read-files.ts';
import {
  type BenchmarkScore,
  type ItemScore,
  type Metrics,
  type ScoreFiles,
  ScoreInputError,
  share,
} from './scorer.ts';

const Id = z.union([z.string(), z.number()]).transform(String);
const Question = z.object({
  question_id: Id,
  image: z.string(),
  text: z.string(),
  category: z.string(),
});
const Label = z.object({ image: z.string(), text: z.string(), label: z.string() });
const Answer = z.object({ question_id: Id, text: z.string() });

type Question = z.infer<typeof Question>;
type Answer = z.infer<typeof Answer>;

export async function scorePope(files: ScoreFiles): Promise<BenchmarkScore> {
  const questionFile = await findFile(
    files.data,
    /^llava_pope_test\.jsonl$/,
    "LLaVA's question file llava_pope_test.jsonl",
  );
  const questions = new Map(
    (await readJsonLines(questionFile, Question)).map((row) => [row.question_id, row]),
  );
  const answers = await readJsonLines(files.answers, Answer);
  const unknown = answers.find(({ question_id }) => !questions.has(question_id));
  if (unknown !== undefined) {
    throw new ScoreInputError(
      `Expected the ids of ${questionFile} in ${files.answers}, and "${unknown.question_id}" is none of them. Are both files of the same version of POPE?`,
    );
  }
  const metrics: Record<string, Metrics> = {};
  const items: ItemScore[] = [];
  for (const { category, path } of await labelFiles(files.data)) {
    const labels = await readJsonLines(path, Label);
    const asked = answers.flatMap((answer) => {
      const question = questions.get(answer.question_id);
      return question?.category === category ? [{ answer, question }] : [];
    });
    const scored = scoreCategory(asked, labels, files.parser);
    metrics[category] = scored.metrics;
    items.push(...scored.items);
  }
  const f1s = Object.values(metrics).map(({ f1_score }) => f1_score);
  const mean = f1s.every((f1) => typeof f1 === 'number')
    ? share(
        f1s.reduce((sum, f1) => sum + f1, 0),
        f1s.length,
      )
    : null;
  return {
    metrics: { ...metrics, [`mean_f1_over_${String(f1s.length)}`]: mean },
    unparsed: items.filter(({ parsed }) => parsed === null).length,
    items,
  };
}

async function labelFiles(data: string): Promise<{ category: string; path: string }[]> {
  const folder = join(data, 'coco');
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new ScoreInputError(
      `Expected the label files coco_pope_*.json in ${folder}. Put them there.`,
      { cause },
    );
  });
  return names
    .filter((name) => /^coco_pope_\w+\.json$/.test(name))
    .map((name) => ({
      category: basename(name, '.json').replace('coco_pope_', ''),
      path: join(folder, name),
    }));
}

type Asked = { readonly answer: Answer; readonly question: Question };

/**
 * The script joins answers and labels by position and cuts off the longer; so do we, after making
 * sure that both sides of each position ask the same. Anything else would score other questions.
 */
function scoreCategory(
  asked: readonly Asked[],
  labels: readonly z.infer<typeof Label>[],
  parser: ScoreFiles['parser'],
): { metrics: Metrics; items: ItemScore[] } {
  const counts = { TP: 0, FP: 0, TN: 0, FN: 0 };
  const items: ItemScore[] = [];
  let numYes = 0;
  asked.forEach(({ answer, question }, position) => {
    const read = parser === 'official' ? readYesNo(answer.text) : readYesNoRobustly(answer.text);
    if (read === 'yes') numYes++;
    const label = labels[position];
    if (label === undefined) return;
    if (label.image !== question.image || !question.text.startsWith(label.text)) {
      throw new ScoreInputError(
        `Expected answers in the order of the label file, and answer ${question.question_id} ("${question.text.slice(0, 60)}") meets the label of "${label.text}" about ${label.image}. Answers may be missing, sorted, or of another version of POPE.`,
      );
    }
    const truth = label.label === 'no' ? 'no' : 'yes';
    // What cannot be read is wrong, whichever was asked for.
    const counted = read ?? (truth === 'yes' ? 'no' : 'yes');
    counts[outcome(counted, truth)]++;
    items.push({
      item_id: question.question_id,
      parsed: read,
      score: counted === truth ? 1 : 0,
    });
  });
  return {
    metrics: { samples: asked.length, ...counts, ...rates(counts, numYes, asked.length) },
    items,
  };
}

type Outcome = 'TP' | 'FP' | 'TN' | 'FN';

function outcome(counted: 'yes' | 'no', truth: 'yes' | 'no'): Outcome {
  if (counted === 'yes') return truth === 'yes' ? 'TP' : 'FP';
  return truth === 'yes' ? 'FN' : 'TN';
}

function rates(
  { TP, FP, TN, FN }: Record<Outcome, number>,
  numYes: number,
  numAsked: number,
): Metrics {
  const precision = share(TP, TP + FP);
  const recall = share(TP, TP + FN);
  const f1 =
    precision === null || recall === null
      ? null
      : share(2 * precision * recall, precision + recall);
  return {
    accuracy: share(TP + TN, TP + TN + FP + FN),
    precision,
    recall,
    f1_score: f1,
    yes_ratio: share(numYes, numAsked),
  };
}

/** `No`, `no` or `not` as a word of the first sentence is no; everything else is yes, also nothing. */
export function readYesNo(text: string): 'yes' | 'no' {
  const [sentence = ''] = text.split('.');
  const words = sentence.replaceAll(',', '').split(' ');
  return words.some((word) => word === 'No' || word === 'not' || word === 'no') ? 'no' : 'yes';
}

/** Ours: the first word if it is yes or no, else the one of the two that the text holds. */
function readYesNoRobustly(text: string): 'yes' | 'no' | null {
  const words: readonly string[] =
    statedAnswer(text)
      .toLowerCase()
      .match(/[a-z]+(?:'t)?/g) ?? [];
  const [first] = words;
  if (first === 'yes' || first === 'no') return first;
  const saysYes = words.includes('yes');
  const saysNo = words.some((word) => word === 'no' || word === 'not' || word.endsWith("n't"));
  if (saysYes === saysNo) return null;
  return saysYes ? 'yes' : 'no';
}
