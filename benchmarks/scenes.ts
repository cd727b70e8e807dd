/** The embedded world's benchmark: one-word answers and descriptions with known truth (docs/scenes.md). */
import type { Benchmark } from './benchmark.ts';
import { countClaims } from './description-parser.ts';
import { exactMatch, normalizeAnswer } from './exact-match.ts';
import { COLORS, POSITIONS, SHAPES, SIZES } from './scene-words.ts';

/** The words that answer a question of each type; anything else is no answer to it. */
const ANSWERS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    color: COLORS,
    shape: SHAPES,
    size: SIZES,
    where: POSITIONS,
    exist: ['yes', 'no'],
    count: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  }).map(([type, words]) => [type, new Set(words)]),
);

export const scenes: Benchmark = {
  name: 'scenes',
  scoreAnswer(question, text) {
    const answers = ANSWERS.get(question.question_type);
    const isAnswer = answers === undefined || answers.has(normalizeAnswer(text));
    return isAnswer ? exactMatch.scoreAnswer(question, text) : { parsed: null, score: 0 };
  },
  scoreDescription: (truth, text) => countClaims(text, truth),
};
