/** Word-level difference of two texts, for chosen against rejected and before against after. */

/** A run of text; `only` = these words are not in the other text at this place. */
export interface Segment {
  readonly kind: 'same' | 'only';
  readonly text: string;
}

export interface WordDifference {
  readonly left: readonly Segment[];
  readonly right: readonly Segment[];
}

/** The table below has words x words cells; beyond this the two texts are shown unmarked. */
const MAX_WORDS = 1500;

/**
 * Marks on each side the words outside a longest common subsequence. The segments of a side,
 * joined, are that side's text. Null when a text has more than 1,500 words.
 */
export function wordDifference(left: string, right: string): WordDifference | null {
  const a = toWords(left);
  const b = toWords(right);
  if (a.length > MAX_WORDS || b.length > MAX_WORDS) return null;
  const kept = longestCommonSubsequence(a.map(bare), b.map(bare));
  return { left: segments(a, kept.left), right: segments(b, kept.right) };
}

/** Words with the white space before them, so that joining gives the text back. */
function toWords(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

function bare(word: string): string {
  return word.trim();
}

interface Kept {
  readonly left: ReadonlySet<number>;
  readonly right: ReadonlySet<number>;
}

/** Positions of one longest common subsequence, by the textbook table of suffix lengths. */
function longestCommonSubsequence(a: readonly string[], b: readonly string[]): Kept {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const left = new Set<number>();
  const right = new Set<number>();
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      left.add(i++);
      right.add(j++);
    } else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return { left, right };
}

function segments(texts: readonly string[], kept: ReadonlySet<number>): Segment[] {
  const result: { kind: Segment['kind']; text: string }[] = [];
  texts.forEach((text, index) => {
    const kind = kept.has(index) ? 'same' : 'only';
    const last = result.at(-1);
    if (last?.kind === kind) last.text += text;
    else result.push({ kind, text });
  });
  return result;
}
