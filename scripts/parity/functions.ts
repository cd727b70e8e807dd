/** The single functions that the parity data proves case by case: parsers, normalisers, prompts. */
import { createHash } from 'node:crypto';
import { parseReview } from '../../benchmarks/llavabench.ts';
import { extractByRules, type MathvistaProblem } from '../../benchmarks/mathvista-answers.ts';
import { mmvetJudgePrompt } from '../../benchmarks/mmvet-prompt.ts';
import { inferOption } from '../../benchmarks/option-inference.ts';
import { softAccuracy } from '../../benchmarks/textvqa.ts';
import { normalizeTextvqaAnswer } from '../../benchmarks/textvqa-normalizer.ts';
import { parityJson, parityLines } from './files.ts';

export interface ParityCase {
  readonly what: string;
  readonly got: unknown;
  readonly expected: unknown;
}

/** By name: the cases of one function. */
export const PARITY_FUNCTIONS: Readonly<Record<string, () => ParityCase[]>> = {
  'textvqa normalizer': () =>
    parityLines<{ input: string; m4c_textvqa: string }>('textvqa', 'normalizer_cases.jsonl').map(
      ({ input, m4c_textvqa }) => ({
        what: input,
        got: normalizeTextvqaAnswer(input),
        expected: m4c_textvqa,
      }),
    ),
  'textvqa soft accuracy': () =>
    parityLines<{ answers: string[]; prediction: string; expected: number }>(
      'textvqa',
      'accuracy_cases.jsonl',
    ).map(({ answers, prediction, expected }) => ({
      what: prediction,
      got: softAccuracy(prediction, answers),
      expected,
    })),
  'llavabench review parser': () =>
    parityLines<{ review: string; expected_pair: number[] }>(
      'llavabench',
      'parse_score_cases.jsonl',
    ).map(({ review, expected_pair }) => ({
      what: review,
      got: parseReview(review),
      expected: expected_pair,
    })),
  'llavabench recorded reviews': () => [1, 2, 3].flatMap(recordedReviews),
  'mmvet judge prompt': judgePrompts,
  'mmbench option inference': optionInferences,
  'mathvista rule extraction': () => ['bard', 'llava_llama_2_13b'].flatMap(ruleExtractions),
};

function recordedReviews(run: number): ParityCase[] {
  const file = `llava-v1.5-13b-eval${String(run)}.jsonl`;
  const reviews = parityLines<{ content: string; tuple: number[] }>('llavabench', 'reviews', file);
  return reviews.map(({ content, tuple }) => ({
    what: content.slice(0, 20),
    got: parseReview(content),
    expected: tuple,
  }));
}

function judgePrompts(): ParityCase[] {
  const { judge_prompt_sha256 } = parityJson<Record<string, string>>('mmvet', 'expected.json');
  type Question = { question: string; answer: string };
  const questions = parityJson<Question>('mmvet', 'mm-vet.json');
  const answers = parityJson<string>('mmvet', 'llava-v1.5-13b.json');
  return Object.entries(questions).map(([id, question]) => ({
    what: id,
    got: createHash('sha256')
      .update(mmvetJudgePrompt(question, answers[id] ?? ''))
      .digest('hex'),
    expected: judge_prompt_sha256?.[id],
  }));
}

function optionInferences(): ParityCase[] {
  type Row = { prediction: string; choices: Record<string, string>; expected: string | false };
  return parityLines<Row>('mmbench', 'extraction_cases_real_outputs.jsonl').map(
    ({ prediction, choices, expected }) => ({
      what: prediction,
      got: inferOption(prediction, new Map(Object.entries(choices))),
      expected: expected === false ? null : expected,
    }),
  );
}

function ruleExtractions(model: string): ParityCase[] {
  const problems = parityJson<MathvistaProblem>('mathvista', 'predictions', `${model}.json`);
  type Expected = { quick_extract_off: string; quick_extract_on: string };
  const expected = parityJson<Expected>(
    'mathvista',
    'expected_rule_only_extraction',
    `${model}.json`,
  );
  return Object.entries(problems).map(([id, problem]) => ({
    what: id,
    got: {
      quick_extract_off: extractByRules(problem.response ?? '', problem, 'off'),
      quick_extract_on: extractByRules(problem.response ?? '', problem, 'on'),
    },
    expected: expected[id],
  }));
}
