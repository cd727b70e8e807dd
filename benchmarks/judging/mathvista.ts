/**
 * Extractions of MathVista: by rules where they suffice, else by the judge with the published prompt
 * (lupantech/MathVista 53d5258, evaluation/extract_answer.py).
 */
import { z } from 'zod';
import type { Judgement, JudgementValue } from '../../contract/judgements.ts';
import { extractByRules, MathvistaProblem } from '../mathvista-answers.ts';
import { codePointLength, strip } from '../python-text.ts';
import { readJsonFile } from '../read-files.ts';
import { ScoreInputError } from '../scorer.ts';
import type { BenchmarkJudging, FailureCounting, JudgeTask, ScorerInputs } from './judging.ts';
import { mathvistaExtractionPrompt } from './mathvista-prompt.ts';
import { byItemAndRun, isOfficialFailure } from './outcome.ts';

/** Fields that the scorer does not read are kept. */
const Problem = MathvistaProblem.loose().extend({ query: z.string().optional() });
type Problem = z.infer<typeof Problem>;

/** What takes more is no extraction: the longest published one of LLaVA and Bard has 107. */
const MAX_EXTRACTION_CHARS = 400;

/** A judge that declines has extracted nothing; the script takes its words, and matches them to a choice. */
const DECLINES = /^(?:i['’]?m sorry|sorry,|i (?:cannot|can['’]?t|am unable)|as an ai\b)/i;

export const mathvistaJudging: BenchmarkJudging = {
  // The script asks once.
  max_tries: 1,
  runs: 'one',
  async plan({ answers: file }) {
    const problems = await readJsonFile(file, z.record(z.string(), Problem));
    const byRules = new Map<string, string>();
    const tasks: JudgeTask[] = [];
    for (const [item_id, problem] of Object.entries(problems)) {
      const extraction = withoutJudge(problem);
      if (extraction !== null) byRules.set(item_id, extraction);
      else tasks.push(taskOf(item_id, problem, file));
    }
    return {
      tasks,
      num_by_rules: byRules.size,
      scorerFiles: (judgements, failures) =>
        extractionsFile({ problems, byRules }, judgements, failures),
    };
  },
};

/** An extraction of an earlier pass, or what the rules give; null where the judge has to be asked. */
function withoutJudge(problem: Problem): string | null {
  const { extraction, response } = problem;
  if (extraction !== undefined && strip(extraction) !== '') return extraction;
  const text = response ?? '';
  const byRules = extractByRules(text, problem, 'off');
  return byRules !== '' || text === '' ? byRules : null;
}

function taskOf(item_id: string, { query, response }: Problem, file: string): JudgeTask {
  return {
    item_id,
    answer: response ?? '',
    prompt: (shown) => {
      if (query === undefined) {
        throw new ScoreInputError(
          `Expected problem ${item_id} of ${file} to have its "query", which the judge is shown, and it has none. Take the file as MathVista's own script writes it.`,
        );
      }
      const content = mathvistaExtractionPrompt(query, shown);
      return { messages: [{ role: 'user', content }], temperature: 0, max_reply_tokens: 256 };
    },
    read: (reply) => readExtraction(reply, response ?? ''),
  };
}

/** Where the model declined, its words are what there is to extract. */
function readExtraction(reply: string, response: string): JudgementValue | null {
  const extraction = strip(reply);
  const isOne = extraction !== '' && codePointLength(extraction) <= MAX_EXTRACTION_CHARS;
  const isDeclined = DECLINES.test(extraction) && !response.includes(extraction);
  return isOne && !isDeclined ? reply : null;
}

interface Extracted {
  readonly problems: Readonly<Record<string, Problem>>;
  readonly byRules: ReadonlyMap<string, string>;
}

/** The predictions file with its extractions; a missing one is marked, so that it is not scored. */
function extractionsFile(
  { problems, byRules }: Extracted,
  judgements: readonly Judgement[],
  failures: FailureCounting,
): ScorerInputs {
  const judgementOf = byItemAndRun(judgements);
  const extracted = Object.entries(problems).map(([item_id, { extraction: _, ...problem }]) => {
    const judgement = judgementOf(item_id, 1);
    const isCounted =
      failures === 'official' && judgement !== undefined && isOfficialFailure(judgement);
    const extraction =
      byRules.get(item_id) ?? judgement?.value ?? (isCounted ? (judgement.text ?? '') : null);
    const outcome = extraction === null ? { judgement_missing: true } : { extraction };
    return [item_id, { ...problem, ...outcome }] as const;
  });
  const text = `${JSON.stringify(Object.fromEntries(extracted))}\n`;
  return { answers: { name: 'answers.json', text }, judgements: [] };
}
