/**
 * Reviews of LLaVA-Bench (in the wild), prompt and reading as published (haotian-liu/LLaVA c121f04,
 * llava/eval/eval_gpt_review_bench.py and table/rule.json). Files are joined by id, not by position.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { Judgement, JudgementValue } from '../../contract/judgements.ts';
import { parseReview } from '../llavabench.ts';
import { readJsonLines } from '../read-files.ts';
import { ScoreInputError } from '../scorer.ts';
import type {
  BenchmarkJudging,
  FailureCounting,
  JudgeMessage,
  JudgeTask,
  ScorerInputs,
} from './judging.ts';
import { byItemAndRun, isOfficialFailure, numRuns } from './outcome.ts';

const SYSTEM = 'You are a helpful and precise assistant for checking the quality of the answer.';

/** The same text for all three categories in rule.json. */
const RULE =
  'We would like to request your feedback on the performance of two AI assistants in response to the user question displayed above. The user asks the question on observing an image. For your reference, the visual content in the image is represented with a few sentences describing the image. \nPlease rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an overall score on a scale of 1 to 10, where a higher score indicates better overall performance.\nPlease first output a single line containing only two values indicating the scores for Assistant 1 and 2, respectively. The two scores are separated by a space.\nIn the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential bias and ensuring that the order in which the responses were presented does not affect your judgment.';

const MAX_POINTS = 10;
/** What the script writes for a review that it cannot read. */
const FAILED = [-1, -1] as const;

const Id = z.union([z.string(), z.number()]).transform(String);
const Question = z.object({
  question_id: Id,
  text: z.string(),
  category: z.string(),
  image: z.string().optional(),
});
type Question = z.infer<typeof Question>;
const Context = z.object({
  image: z.string(),
  caption: z.union([z.string(), z.array(z.string())]),
});
const Answer = z.object({ question_id: Id, text: z.string(), answer_id: z.string().optional() });
type Answer = z.infer<typeof Answer>;

export const llavabenchJudging: BenchmarkJudging = {
  // The script asks once and counts what it cannot read.
  max_tries: 1,
  runs: 'several',
  async plan({ data, answers: file, wanted }) {
    const questions = await readJsonLines(join(data, 'questions.jsonl'), Question);
    const answers = byId(await readJsonLines(file, Answer));
    const isPrompted = wanted === 'prompts';
    const contexts = isPrompted ? await readJsonLines(join(data, 'context.jsonl'), Context) : [];
    const captions = new Map(contexts.map(({ image, caption }) => [image, [caption].flat()]));
    const references = byId(
      isPrompted ? await readJsonLines(join(data, 'answers_gpt4.jsonl'), Answer) : [],
    );
    const tasks = questions.flatMap((question): JudgeTask[] => {
      const answer = answers.get(question.question_id);
      if (answer === undefined) return [];
      return [
        {
          item_id: question.question_id,
          answer: answer.text,
          prompt: (shown) => ({
            messages: messagesOf(question, {
              caption: found(captions.get(question.image ?? ''), question, 'context.jsonl').join(
                '\n',
              ),
              reference: found(references.get(question.question_id), question, 'answers_gpt4.jsonl')
                .text,
              answer: shown,
            }),
            temperature: 0.2,
            max_reply_tokens: 1024,
          }),
          read: readPoints,
        },
      ];
    });
    const asked = questions.filter(({ question_id }) => answers.has(question_id));
    return {
      tasks,
      num_by_rules: 0,
      scorerFiles: (judgements, failures) =>
        reviewFiles({ asked, answers, references }, judgements, failures),
    };
  },
};

/** Both points in 0..10; what the script would make of other replies is no review. */
function readPoints(reply: string): JudgementValue | null {
  const [reference, model] = parseReview(reply);
  const arePoints = [reference, model].every((points) => points >= 0 && points <= MAX_POINTS);
  return arePoints ? [reference, model] : null;
}

function messagesOf(
  question: Question,
  shown: { readonly caption: string; readonly reference: string; readonly answer: string },
): readonly JudgeMessage[] {
  const content = `[Context]\n${shown.caption}\n\n[Question]\n${question.text}\n\n[Assistant 1]\n${shown.reference}\n\n[End of Assistant 1]\n\n[Assistant 2]\n${shown.answer}\n\n[End of Assistant 2]\n\n[System]\n${RULE}\n\n`;
  return [
    { role: 'system', content: SYSTEM },
    { role: 'user', content },
  ];
}

interface Asked {
  readonly asked: readonly Question[];
  readonly answers: ReadonlyMap<string, Answer>;
  readonly references: ReadonlyMap<string, Answer>;
}

/** One file a run, with the fields of the script's. */
function reviewFiles(
  { asked, answers, references }: Asked,
  judgements: readonly Judgement[],
  failures: FailureCounting,
): ScorerInputs {
  const judgementOf = byItemAndRun(judgements);
  const runs = Array.from({ length: numRuns(judgements) }, (_, index) => index + 1);
  return {
    answers: null,
    judgements: runs.map((run) => {
      const rows = asked.flatMap(({ question_id, category }, index) => {
        const judgement = judgementOf(question_id, run);
        if (judgement === undefined) return [];
        const review = reviewOf(judgement, failures);
        if (review === null) return [];
        return [
          {
            id: index + 1,
            question_id,
            answer1_id: references.get(question_id)?.answer_id ?? question_id,
            answer2_id: answers.get(question_id)?.answer_id ?? question_id,
            category: `llava_bench_${category}`,
            ...review,
          },
        ];
      });
      const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
      return { name: `reviews-${String(run)}.jsonl`, text };
    }),
  };
}

/** `tuple` is null where a review came and was no review: the scorer then counts it as missing. */
function reviewOf(
  judgement: Judgement,
  failures: FailureCounting,
): { content: string; tuple: readonly number[] | null } | null {
  const { text, value } = judgement;
  if (Array.isArray(value)) return { content: text ?? '', tuple: value };
  if (failures === 'official' && isOfficialFailure(judgement)) {
    const tuple = parseReview(text ?? '');
    return { content: text ?? '', tuple: tuple.every(Number.isFinite) ? tuple : FAILED };
  }
  return text === null ? null : { content: text, tuple: null };
}

function byId(answers: readonly Answer[]): Map<string, Answer> {
  return new Map(answers.map((answer) => [answer.question_id, answer]));
}

function found<T>(value: T | undefined, { question_id, image }: Question, file: string): T {
  if (value !== undefined) return value;
  throw new ScoreInputError(
    `Expected ${file} to have a line for question ${question_id} (image ${image ?? 'not named'}), and found none. Put the file of liuhaotian/llava-bench-in-the-wild beside questions.jsonl.`,
  );
}
