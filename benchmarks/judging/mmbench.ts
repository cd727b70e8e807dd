/**
 * Options of MMBench answers that rules cannot read, asked for with the prompt of VLMEvalKit
 * (open-compass/VLMEvalKit e8e78f0, vlmeval/dataset/utils/multiple_choice.py). Where the judge fails
 * the script draws an option at random, unseeded; here the question is then missing.
 */
import type { Judgement, JudgementValue } from '../../contract/judgements.ts';
import { type MmbenchAnswer, readMmbench } from '../mmbench.ts';
import { inferOption } from '../option-inference.ts';
import { strip } from '../python-text.ts';
import type { BenchmarkJudging, JudgeTask, ScorerInputs } from './judging.ts';
import { byItemAndRun } from './outcome.ts';

const INSTRUCTION =
  'You are an AI assistant who will help me to match an answer with several options of a single-choice question. You are provided with a question, several options, and an answer, and you need to find which option is most similar to the answer. If the meaning of all options are significantly different from the answer, output Z. Your should output a single uppercase character in A, B, C, D (if they are valid options), and Z. \n';

const EXAMPLES = [
  'Example 1: ',
  'Question: What is the main object in image?',
  'Options: A. teddy bear B. rabbit C. cat D. dog',
  'Answer: a cute teddy bear',
  'Your output: A',
  'Example 2: ',
  'Question: What is the main object in image?',
  'Options: A. teddy bear B. rabbit C. cat D. dog',
  'Answer: Spider',
  'Your output: Z',
].join('\n');

export const mmbenchJudging: BenchmarkJudging = {
  max_tries: 3,
  runs: 'one',
  async plan({ data, answers: file }) {
    const answers = await readMmbench(data, file);
    const unread = answers.filter(({ text, options }) => inferOption(text, options) === null);
    return {
      tasks: unread.map(taskOf),
      num_by_rules: answers.length - unread.length,
      scorerFiles: (judgements) => answersFile(answers, judgements),
    };
  },
};

function taskOf({ index, text, options, question }: MmbenchAnswer): JudgeTask {
  const listed = [...options].map(([letter, option]) => `${letter}. ${option}\n`).join('');
  return {
    item_id: String(index),
    answer: strip(text),
    prompt: (shown) => {
      const asked = `Question: ${question}?\nOptions: There are several options: \n${listed}\nAnswer: ${shown}\nYour output: `;
      const content = `${INSTRUCTION}${EXAMPLES}\nExample 3: \n${asked}`;
      // VLMEvalKit's default of its API wrapper is temperature 0; the reply is one letter.
      return { messages: [{ role: 'user', content }], temperature: 0, max_reply_tokens: 16 };
    },
    read: (reply): JudgementValue | null => inferOption(reply, options),
  };
}

/**
 * Answers with the letter in place of the text. A question with a missing judgement is left out with
 * all its rotations: one rotation less would make it easier. Where nobody was asked, the texts stay
 * as they are, which is VLMEvalKit's exact matching.
 */
function answersFile(
  answers: readonly MmbenchAnswer[],
  judgements: readonly Judgement[],
): ScorerInputs {
  const judgementOf = byItemAndRun(judgements);
  const missing = new Set(
    answers
      .filter(({ index }) => {
        const judgement = judgementOf(String(index), 1);
        return judgement?.value === null && judgement.missing !== 'no_judge';
      })
      .map(({ group }) => group),
  );
  const rows = answers
    .filter(({ group }) => !missing.has(group))
    .map(({ index, text }) => {
      const letter = judgementOf(String(index), 1)?.value;
      return { question_id: index, text: typeof letter === 'string' ? letter : text };
    });
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  return { answers: { name: 'answers.jsonl', text }, judgements: [] };
}
