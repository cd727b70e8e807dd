/**
 * Answer normalisation of TextVQA: what MMF's `EvalAIAnswerProcessor` gives (facebookresearch/mmf
 * c46b3b3; LLaVA c121f04 has the same in llava/eval/m4c_evaluator.py), its quirks included.
 */
import { splitOnSpaces, strip } from './python-text.ts';

const PUNCTUATION = Array.from(';/[]"{}()=+\\_-><@`!');
const ARTICLES = new Set(['a', 'an', 'the']);
const NUMBERS = new Map(
  ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'].map(
    (word, value) => [word, String(value)],
  ),
).set('none', '0');

/** The script passes a flag (32) where `re.sub` takes a count: no more full stops are taken out. */
const MAX_FULL_STOPS = 32;

/** The form in which two answers are compared. */
export function normalizeTextvqaAnswer(answer: string): string {
  const lower = answer.toLowerCase().replace(/[,?]/g, '').replaceAll("'s", " 's");
  const line = strip(strip(lower).replace(/[\n\t]/g, ' '));
  return normalizeWords(withoutPunctuation(line));
}

/**
 * A punctuation mark goes where it touches a space anywhere in the text; else it becomes a space.
 * The script's further rule, for numbers with commas, never applies: the commas are gone by now.
 */
function withoutPunctuation(text: string): string {
  let result = text;
  for (const mark of PUNCTUATION) {
    const goes = text.includes(`${mark} `) || text.includes(` ${mark}`);
    result = result.replaceAll(mark, goes ? '' : ' ');
  }
  let taken = 0;
  return result.replace(/\.(?!\p{Nd})/gu, (stop) => (taken++ < MAX_FULL_STOPS ? '' : stop));
}

function normalizeWords(text: string): string {
  return splitOnSpaces(text.toLowerCase())
    .map((word) => NUMBERS.get(word) ?? word)
    .filter((word) => !ARTICLES.has(word))
    .map((word) => CONTRACTIONS.get(word) ?? word)
    .join(' ');
}

/** Regular contractions: each gets its one missing apostrophe back where `|` stands. */
const MISSING_APOSTROPHE = `
ain|t aren|t can|t could|ve couldn|t didn|t doesn|t don|t hadn|t hasn|t haven|t he|d he|s how|d how|ll how|s
isn|t it|d it|ll ma|am mightn|t might|ve mustn|t must|ve needn|t not|ve o|clock oughtn|t shan|t should|ve
shouldn|t somebody|ll somebody|s someone|d someone|ll someone|s something|d something|ll that|s there|d
there|re there|s they|d they|ll they|re they|ve |twas wasn|t we|ve weren|t what|ll what|re what|s what|ve
when|s where|d where|s where|ve who|d who|ll who|s who|ve why|ll why|re why|s won|t would|ve wouldn|t y|all
you|d you|ll you|re you|ve`;

/** Double contractions, of which the first or the second apostrophe may be missing. */
const MISSING_EITHER = `
couldn|t|ve hadn|t|ve he|d|ve it|d|ve mightn|t|ve she|d|ve shouldn|t|ve somebody|d|ve someone|d|ve
something|d|ve there|d|ve they|d|ve we|d|ve who|d|ve wouldn|t|ve y|all|ll you|d|ve`;

/** What fits neither list; the first entry takes an apostrophe away, as the script does. */
const OTHERS: readonly (readonly [string, string])[] = [
  ["somebody'd", 'somebodyd'],
  ["ow's'at", "'ow's'at"],
  ["'ows'at", "'ow's'at"],
  ["'ow'sat", "'ow's'at"],
  ["yall'd've", "y'all'd've"],
  ["y'alld've", "y'all'd've"],
  ["y'all'dve", "y'all'd've"],
];

const CONTRACTIONS = new Map([
  ...entries(MISSING_APOSTROPHE).map((parts) => [parts.join(''), parts.join("'")] as const),
  ...entries(MISSING_EITHER).flatMap(([head = '', middle = '', tail = '']) => {
    const whole = `${head}'${middle}'${tail}`;
    return [
      [`${head}${middle}'${tail}`, whole] as const,
      [`${head}'${middle}${tail}`, whole] as const,
    ];
  }),
  ...OTHERS,
]);

function entries(list: string): string[][] {
  return splitOnSpaces(list).map((entry) => entry.split('|'));
}
