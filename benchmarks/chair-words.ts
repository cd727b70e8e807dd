/**
 * Words of a caption in the singular, as the port of CHAIR counts them: NLTK's word tokens and the
 * plural rules of `pattern` (clips/pattern 2.6 `singularize`) as far as they can reach a word of the
 * COCO vocabulary. Its quirks decide which objects count, so they are kept: bus becomes `bu`, glass
 * `glas`; canoes, collies, magpies, thieves and ties are not found.
 */

/** Tokens of all sentences, in lower case. */
export function captionWords(caption: string): string[] {
  return sentences(caption.toLowerCase()).flatMap(tokens);
}

/**
 * Cut after `.`, `?` or `!` before white space; quotes and brackets that close stay in front. Matched
 * forwards: looking behind from every place takes quadratic time on long runs of quotes.
 */
function sentences(text: string): string[] {
  const ends = [...text.matchAll(/[.?!][)\]}>"'»”’]*(?=(\s+))/gu)];
  const found: string[] = [];
  let start = 0;
  for (const { 0: mark, 1: space = '', index } of ends) {
    found.push(text.slice(start, index + mark.length));
    start = index + mark.length + space.length;
  }
  return [...found, text.slice(start)];
}

const SPLIT_OFF = /\.{2,}|[;@#$%&*?!()[\]{}<>"«»“”‘’„`\u2012-\u2015]|--|[:,](?!\d)/gu;
const OPENING_QUOTE = /(?<!\w)'(?!(?:re|ve|ll|[mtsdn])\b)(?=\w)/gu;
const FINAL_STOP = /(?<=[^.])\.(?=[)\]}>"'»”’ ]*\s*$)/u;
const CLITICS = /(?<=[^'\s])('(?:s|m|d|ll|re|ve)?|n't)(?=\s|$)/gu;
/** Read as two words: can not, gon na, ... */
const FUSED = /\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(gim|lem)(me)\b/gu;

/** Words and punctuation marks of one sentence. */
function tokens(sentence: string): string[] {
  const spaced = sentence
    .replace(FINAL_STOP, ' . ')
    .replace(SPLIT_OFF, ' $& ')
    .replace(OPENING_QUOTE, "' ")
    .replace(CLITICS, ' $1')
    .replace(FUSED, (fused) => `${fused.slice(0, 3)} ${fused.slice(3)}`);
  return spaced.split(/\s+/u).filter((token) => token !== '');
}

/** Endings and what they become; the first that fits counts. */
const PLURALS: readonly (readonly [RegExp, string])[] = [
  // A plural that is left as it is.
  [/(?:scissors|collies|doggies|cookies|birdies|pixies|rookies|zombies)$/, '$&'],
  [/children$/, 'child'],
  [/people$/, 'person'],
  [/geese$/, 'goose'],
  [/men$/, 'man'],
  [/^oxen/, 'ox'],
  [/feet$/, 'foot'],
  [/teeth$/, 'tooth'],
  [/(loa|lea)ves$/, '$1f'],
  [/([ml])ice$/, '$1ouse'],
  [/shoes$/, 'shoe'],
  [/oes$/, 'o'],
  [/buses$/, 'bus'],
  [/(x|ch|ss|sh)es$/, '$1'],
  [/([^aeiouy]|qu)ies$/, '$1y'],
  [/([aeo]l|[lr])ves$/, '$1f'],
  [/([nlw]i)ves$/, '$1fe'],
  [/([aeo])ves$/, '$1ve'],
  [/(?<=.)s$/, ''],
];

/** No rule fits other words; most texts consist of them. */
const MAYBE_PLURAL = /[ehnst]$|^oxen/;

/** The singular by rule; a word without a plural's ending is given back. */
export function singular(word: string): string {
  if (!MAYBE_PLURAL.test(word)) return word;
  for (const [ending, replacement] of PLURALS) {
    if (ending.test(word)) return word.replace(ending, replacement);
  }
  return word;
}

/** Ours: a known word stays as it is; else the first of the usual singulars that is known. */
export function knownSingular(word: string, isKnown: (word: string) => boolean): string {
  const candidates = [word, singular(word), word.replace(/s$/, ''), word.replace(/es$/, '')];
  return candidates.find(isKnown) ?? singular(word);
}
