/**
 * Why two scores are not comparable: a difference in how they came about would be taken for a difference
 * of the policies. Each reason is a sentence; no reason = like is compared with like.
 */
import type { BenchmarkFigures, ScoringConditions } from '../../contract/measures.ts';
import type { QuestionRecord } from '../../contract/records.ts';
import type { ScoredSet } from './sides.ts';

/** TextVQA's prompt with the tokens that an OCR system found; LLaVA's wording. */
const OCR = 'Reference OCR token';

export function refusals(a: ScoredSet, b: ScoredSet): string[] {
  return [...questionReasons(a, b), ...conditionReasons(a, b), ...judgementReasons(a, b)];
}

function questionReasons(a: ScoredSet, b: ScoredSet): string[] {
  if (a.scores.benchmark !== b.scores.benchmark) {
    return [`the benchmarks differ: ${a.scores.benchmark} and ${b.scores.benchmark}`];
  }
  if (a.evaluationSet.sha256 === b.evaluationSet.sha256) return [];
  const onlyA = [...a.questions.keys()].filter((id) => !b.questions.has(id)).length;
  const onlyB = [...b.questions.keys()].filter((id) => !a.questions.has(id)).length;
  if (onlyA + onlyB > 0) {
    return [`the questions differ: ${onlyA} are asked of the first only, ${onlyB} of the second`];
  }
  const pairs = [...a.questions.values()].flatMap((one): [QuestionRecord, QuestionRecord][] => {
    const other = b.questions.get(one.question_id);
    return other === undefined ? [] : [[one, other]];
  });
  const isOcrOnly = pairs.some(
    ([one, other]) => one.question.includes(OCR) !== other.question.includes(OCR),
  );
  if (isOcrOnly) return ['the OCR settings differ: one side has OCR tokens in its prompts'];
  const prompts = pairs.filter(([one, other]) => one.question !== other.question).length;
  if (prompts > 0) return [`the prompts of ${prompts} questions differ`];
  const images = pairs.filter(([one, other]) => one.image_id !== other.image_id).length;
  if (images > 0) return [`the images of ${images} questions differ`];
  return ['the files that answers are scored by differ, or how images were decoded'];
}

/** Names as the sentences have them. */
const CONDITIONS: Readonly<Record<keyof ScoringConditions, string>> = {
  template_sha256: 'the chat templates differ',
  image_mode: 'the image modes differ (settings of the image processor, or its backend)',
  describe_blind: 'one side described without the image',
  description_prompt: 'the description prompts of describe-and-respond differ',
  question_template: 'the question templates of describe-and-respond differ',
  max_new_tokens: 'the limits of new tokens differ',
  judge: 'the judges differ',
};

function conditionReasons({ scores: a }: ScoredSet, { scores: b }: ScoredSet): string[] {
  const [one, other] = [a.conditions, b.conditions];
  if (one === null || other === null) {
    return ['one side was scored by a version that kept no record of template and image mode'];
  }
  // Without describe-and-respond on one side its prompts decide about nothing that is compared.
  const isDar = one.question_template !== null && other.question_template !== null;
  const darOnly = ['describe_blind', 'description_prompt', 'question_template'];
  const names = (Object.keys(CONDITIONS) as (keyof ScoringConditions)[]) // its own keys
    .filter((name) => isDar || !darOnly.includes(name));
  return names
    .filter((name) => one[name] !== other[name])
    .map((name) => `${CONDITIONS[name]}: ${shown(one[name])} and ${shown(other[name])}`);
}

/** A comparison of what happens to be judged would be one of easy questions. */
function judgementReasons(a: ScoredSet, b: ScoredSet): string[] {
  const partial = (side: string, figures: readonly BenchmarkFigures[]): string[] =>
    figures
      .filter(({ num_items, num_judged }) => num_judged < num_items)
      .map(
        ({ mode, num_items, num_judged }) =>
          `only ${num_judged} of ${num_items} ${mode} answers of the ${side} are judged`,
      );
  return [...partial('first', a.scores.figures), ...partial('second', b.scores.figures)];
}

function shown(value: string | number | boolean | null): string {
  if (value === null) return 'unknown';
  const text = String(value);
  return text.length > 60 ? `${text.slice(0, 12)}…` : JSON.stringify(value);
}
