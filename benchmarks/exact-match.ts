/** Questions with one right answer, compared exactly after normalisation. For users' own JSONL files. */
import type { Benchmark } from './benchmark.ts';

export const exactMatch: Benchmark = {
  name: 'exact_match',
  scoreAnswer(question, text) {
    const parsed = normalizeAnswer(text);
    if (parsed === '') return { parsed: null, score: 0 };
    return { parsed, score: parsed === normalizeAnswer(question.answer) ? 1 : 0 };
  },
  scoreDescription: null,
};

/** Drops surrounding white space and one closing full stop, and lowers the letters. */
export function normalizeAnswer(text: string): string {
  const trimmed = text.trim();
  return (trimmed.endsWith('.') ? trimmed.slice(0, -1).trimEnd() : trimmed).toLowerCase();
}
