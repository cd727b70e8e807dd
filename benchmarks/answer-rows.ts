/** From a benchmark's items to what a loaded benchmark offers; lines of LLaVA's answers files. */
import type { BenchmarkAnswer, BenchmarkQuestion, LoadedBenchmark } from './loader.ts';
import { ScoreInputError } from './scorer.ts';

export interface AnsweredItem<Item> {
  readonly item: Item;
  readonly question: BenchmarkQuestion;
  readonly answer: BenchmarkAnswer;
}

export interface BenchmarkParts<Item> {
  /** The user's folder, for messages. */
  readonly folder: string;
  readonly items: readonly Item[];
  readonly question: (item: Item) => BenchmarkQuestion;
  readonly scoringData: Readonly<Record<string, string>>;
  /** The answers file, of items in the order of the questions. */
  readonly write: (answered: readonly AnsweredItem<Item>[]) => string;
}

/**
 * @throws ScoreInputError when there is no question, or two have one id; its `answersFile` when an
 * answer is to no question, or a question has two.
 */
export function loadedBenchmark<Item>(parts: BenchmarkParts<Item>): LoadedBenchmark {
  const asked = parts.items.map((item) => ({ item, question: parts.question(item) }));
  const questions = asked.map(({ question }) => question);
  checkIds(parts.folder, questions);
  return {
    questions,
    scoringData: new Map(Object.entries(parts.scoringData)),
    answersFile: (answers) => {
      const byId = new Map(answers.map((answer) => [answer.question_id, answer]));
      const answered = asked.flatMap(({ item, question }) => {
        const answer = byId.get(question.question_id);
        return answer === undefined ? [] : [{ item, question, answer }];
      });
      if (answered.length === answers.length) return parts.write(answered);
      throw new ScoreInputError(
        `Expected at most one answer to each of ${questions.length} questions, got ${answers.length} answers, which fit ${answered.length} of them. Are they answers to this version of the benchmark?`,
      );
    },
  };
}

function checkIds(folder: string, questions: readonly BenchmarkQuestion[]): void {
  if (questions.length === 0) {
    throw new ScoreInputError(
      `Expected questions in ${folder}, and there is none. Are the files complete?`,
    );
  }
  const seen = new Set<string>();
  for (const { question_id } of questions) {
    if (seen.has(question_id)) {
      throw new ScoreInputError(
        `Expected each question in ${folder} once, and "${question_id}" stands there twice. Remove one, or download the files again.`,
      );
    }
    seen.add(question_id);
  }
}

/**
 * One line of LLaVA's answers file. `prompt` is the official one, which its scripts join by, without a
 * description in front, as STIC's scripts log it; what was asked instead stands in `metadata`.
 */
export function llavaLine(
  id: string | number,
  prompt: string,
  { question, answer }: AnsweredItem<unknown>,
): string {
  const metadata = answer.prompt === question.prompt ? {} : { asked_prompt: answer.prompt };
  const { text } = answer;
  return jsonLine({ question_id: id, prompt, text, answer_id: question.question_id, metadata });
}

export function jsonLine(row: unknown): string {
  return `${JSON.stringify(row)}\n`;
}

/** LLaVA's files number some questions: such an id is written as the number again. */
export function numberOrText(id: string): number | string {
  return /^(?:0|[1-9]\d{0,14})$/.test(id) ? Number(id) : id;
}
