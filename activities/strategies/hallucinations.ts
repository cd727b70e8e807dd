/**
 * Hallucinations put into a text without a model: words are exchanged for others of their kind, so that a
 * fluent text says something false. POVID has GPT-4V do this (arXiv:2402.11411).
 */

/** Words of one kind; any may stand where another stood. Numbers up to ten as words and as digits. */
const KINDS: readonly (readonly string[])[] = [
  ['red', 'blue', 'green', 'yellow', 'orange', 'purple', 'pink', 'brown', 'black', 'white', 'gray'],
  ['circle', 'square', 'triangle', 'star', 'ring', 'cross', 'diamond', 'rectangle', 'heart'],
  ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'],
  ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
  ['small', 'large'],
  ['left', 'right'],
  ['top', 'bottom'],
  ['above', 'below'],
  ['behind', 'beside'],
  ['yes', 'no'],
  ['man', 'woman', 'boy', 'girl'],
  ['dog', 'cat', 'horse', 'sheep', 'cow', 'bear', 'bird', 'zebra', 'giraffe', 'elephant'],
  ['car', 'bus', 'truck', 'train', 'boat', 'bicycle', 'motorcycle', 'airplane'],
  ['chair', 'couch', 'bed', 'table', 'bench'],
  ['cup', 'bottle', 'bowl', 'plate', 'glass', 'fork', 'knife', 'spoon'],
  ['apple', 'banana', 'orange', 'pizza', 'cake', 'sandwich', 'donut', 'carrot'],
  ['phone', 'laptop', 'book', 'clock', 'vase', 'umbrella', 'backpack', 'suitcase'],
  ['standing', 'sitting', 'lying', 'running', 'walking'],
  ['sunny', 'cloudy', 'rainy', 'snowy'],
];

/** By word: what it may become. A word of two kinds (orange) belongs to the first. */
const OTHERS = new Map<string, readonly string[]>();
for (const kind of KINDS) {
  for (const word of kind) {
    if (!OTHERS.has(word))
      OTHERS.set(
        word,
        kind.filter((other) => other !== word),
      );
  }
}

interface Injection {
  /** Share of the words that can be changed, in (0, 1]; one is changed at least. */
  readonly rate: number;
  /** Uniform in [0, 1), a pure function of its purpose. */
  readonly draw: (purpose: string) => number;
}

/** The text with some words exchanged; null where it has none that could be. */
export function withHallucinations(text: string, { rate, draw }: Injection): string | null {
  const found = [...text.matchAll(/[\p{L}\p{N}]+/gu)].filter(([word]) =>
    OTHERS.has(word.toLowerCase()),
  );
  if (found.length === 0) return null;
  const ranked = found
    .map((match, place) => ({ match, rank: draw(`rank/${String(place)}`) }))
    .sort((one, other) => one.rank - other.rank);
  const changed = ranked.slice(0, Math.max(1, Math.round(rate * found.length)));
  const byStart = new Map(changed.map(({ match }) => [match.index, match[0]]));
  return text.replace(/[\p{L}\p{N}]+/gu, (word, start: number) => {
    if (byStart.get(start) === undefined) return word;
    const others = OTHERS.get(word.toLowerCase()) ?? [];
    const other = others[Math.floor(draw(`word/${String(start)}`) * others.length)] ?? word;
    return inCaseOf(word, other);
  });
}

function inCaseOf(word: string, other: string): string {
  const [first = ''] = word;
  return first === first.toUpperCase() ? other.slice(0, 1).toUpperCase() + other.slice(1) : other;
}
