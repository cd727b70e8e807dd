/**
 * The question of MathVista as the data set's field `query` has it (lupantech/MathVista 53d5258, shot
 * type solution without examples): a hint that says what form the answer has, question, choices.
 */
import { ScoreInputError } from './scorer.ts';

export interface MathvistaQuestion {
  readonly question: string;
  readonly choices: readonly string[] | null;
  readonly unit: string | null;
  /** Decimal places of a float. */
  readonly precision: number | null;
  readonly question_type: string;
  readonly answer_type: string;
}

/** @param place of the question, for messages. @throws ScoreInputError for a form it does not know. */
export function mathvistaQuery(question: MathvistaQuestion, place: string): string {
  const { unit, choices } = question;
  const asked = `Question: ${question.question}${unit === null || unit === '' ? '' : ` (Unit: ${unit})`}`;
  const lines = (choices ?? []).map(
    (choice, index) => `(${String.fromCharCode('A'.charCodeAt(0) + index)}) ${choice}`,
  );
  const options = lines.length === 0 ? [] : ['Choices:', ...lines];
  return [
    `Hint: Please answer the question ${form(question, place)}, at the end.`,
    asked,
    ...options,
  ]
    .join('\n')
    .trim();
}

function form({ question_type, answer_type, precision }: MathvistaQuestion, place: string): string {
  if (question_type === 'multi_choice')
    return 'and provide the correct option letter, e.g., A, B, C, D';
  switch (answer_type) {
    case 'integer':
      return 'requiring an integer answer and provide the final value, e.g., 1, 2, 3';
    case 'list':
      return 'requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4]';
    case 'float':
      if (precision === 1) return `${FLOAT} one decimal place ${FINAL} 1.2, 1.3, 1.4`;
      if (precision === 2) return `${FLOAT} two decimal places ${FINAL} 1.23, 1.34, 1.45`;
  }
  throw new ScoreInputError(
    `Expected answers to be choices, integers, lists, or floats with 1 or 2 decimal places, got answer_type "${answer_type}" and precision ${precision ?? 'nothing'} of ${place}. Is it MathVista's testmini split?`,
  );
}

const FLOAT = 'requiring a floating-point number with';
const FINAL = 'and provide the final value, e.g.,';

/** Decimal places that the hint of a query asks for; null where it asks for no float. */
export function precisionOfQuery(query: string): number | null {
  if (query.includes(`${FLOAT} one decimal place`)) return 1;
  return query.includes(`${FLOAT} two decimal places`) ? 2 : null;
}
