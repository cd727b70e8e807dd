/**
 * Grades of MM-Vet, asked for and read as published (yuweihao/MM-Vet acde843, mm-vet_evaluator.py).
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { Judgement, JudgementValue } from '../../contract/judgements.ts';
import { mmvetJudgePrompt } from '../mmvet-prompt.ts';
import { pythonFloat } from '../python-float.ts';
import { strip } from '../python-text.ts';
import { readJsonFile } from '../read-files.ts';
import type { BenchmarkJudging, FailureCounting, JudgeTask, ScorerInputs } from './judging.ts';
import { byItemAndRun, isOfficialFailure, numRuns } from './outcome.ts';

const Questions = z.record(z.string(), z.object({ question: z.string(), answer: z.string() }));
const Answers = z.record(z.string(), z.string());

const ASK_AGAIN = '\nPredict the correctness of the answer (digit): ';
const TEMPERATURE_STEP = 0.5;

export const mmvetJudging: BenchmarkJudging = {
  max_tries: 5,
  runs: 'several',
  async plan({ data, answers: file }) {
    const questions = await readJsonFile(join(data, 'mm-vet.json'), Questions);
    const answers = await readJsonFile(file, Answers);
    const tasks = Object.entries(questions).flatMap(([item_id, question]): JudgeTask[] => {
      const answer = answers[item_id];
      if (answer === undefined) return [];
      return [
        {
          item_id,
          answer,
          prompt: (shown, attempt) => ({
            messages: [
              {
                role: 'user',
                content: `${mmvetJudgePrompt(question, shown)}${attempt === 1 ? '' : ASK_AGAIN}`,
              },
            ],
            // The script raises it after it has asked again, so the second try is greedy still.
            temperature: Math.max(0, attempt - 2) * TEMPERATURE_STEP,
            max_reply_tokens: 3,
          }),
          read: readGrade,
        },
      ];
    });
    return {
      tasks,
      num_by_rules: 0,
      scorerFiles: (judgements, failures) => gradesFile(tasks, judgements, failures),
    };
  },
};

/** The first token as a number from 0 to 1. */
function readGrade(reply: string): JudgementValue | null {
  const grade = pythonFloat(strip(reply.split(' ', 1)[0] ?? ''));
  return grade !== null && grade >= 0 && grade <= 1 ? grade : null;
}

/** An item with a run missing is left out whole: a mean over fewer runs is another figure. */
function gradesFile(
  tasks: readonly JudgeTask[],
  judgements: readonly Judgement[],
  failures: FailureCounting,
): ScorerInputs {
  const judgementOf = byItemAndRun(judgements);
  const runs = Array.from({ length: numRuns(judgements) }, (_, index) => index + 1);
  const grades = tasks.flatMap(({ item_id }) => {
    const ofItem = runs.flatMap((run) => judgementOf(item_id, run) ?? []);
    const score = ofItem.flatMap((judgement) => {
      if (typeof judgement.value === 'number') return [judgement.value];
      return failures === 'official' && isOfficialFailure(judgement) ? [0] : [];
    });
    if (score.length < runs.length) return [];
    const model = ofItem.map(({ served_model }) => served_model ?? '');
    const content = ofItem.map(({ text }) => text ?? '');
    return [[item_id, { model, content, score }] as const];
  });
  const text = `${JSON.stringify(Object.fromEntries(grades))}\n`;
  return { answers: null, judgements: [{ name: 'grades.json', text }] };
}
