/** Which pairs teach nothing: an empty, cut or endlessly repeating text, or twice the same one. */
import type { ExperimentConfig } from '../contract/config.ts';
import type { DroppedPair, Generation } from '../contract/records.ts';

type Text = Pick<Generation, 'text' | 'finish_reason'>;
type Rules = ExperimentConfig['preference']['degenerate'];

const N = 4;

/** The first rule that the pair breaks, or null. */
export function degeneracyOf(
  chosen: Text,
  rejected: Text,
  rules: Rules,
): Omit<DroppedPair, 'pair_id'> | null {
  const checks = [
    ['empty', ({ text }: Text) => text.trim() === ''],
    ['cut', ({ finish_reason }: Text) => rules.drop_cut && finish_reason === 'length'],
    ['repeating', ({ text }: Text) => repetition(text) > rules.max_repetition],
  ] as const;
  for (const [reason, isBad] of checks) {
    const [bad, worse] = [isBad(chosen), isBad(rejected)];
    if (bad || worse) return { reason, side: bad && worse ? 'both' : bad ? 'chosen' : 'rejected' };
  }
  return chosen.text.trim() === rejected.text.trim() ? { reason: 'equal', side: 'both' } : null;
}

/** Share of the 4-grams of words that stood in the text before: 0 for none, near 1 for a loop. */
export function repetition(text: string): number {
  const words = text.split(/\s+/u).filter((word) => word !== '');
  const total = words.length - N + 1;
  if (total < 1) return 0;
  const seen = new Set<string>();
  for (let start = 0; start < total; start += 1) seen.add(words.slice(start, start + N).join(' '));
  return 1 - seen.size / total;
}
