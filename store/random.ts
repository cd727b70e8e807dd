/**
 * Randomness as a pure function of (run seed, what it is for): shards, retries and resumes draw
 * the same numbers in any order. Changing a line here changes every artifact.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical.ts';

const TWO_TO_53 = 2 ** 53;

/** A seed in 0..2^53-1 for one purpose, such as `seedFor(seed, round, 'preference_training')`. */
export function seedFor(runSeed: number, ...parts: readonly (string | number)[]): number {
  return drawAt(digest([runSeed, ...parts]), 0);
}

/** A number in [0, 1) with 53 random bits, for one purpose. */
export function uniform(runSeed: number, ...parts: readonly (string | number)[]): number {
  return seedFor(runSeed, ...parts) / TWO_TO_53;
}

/** The numbers 0..n-1 in an order drawn from the seed (Fisher-Yates). */
export function shuffledOrder(seed: number, n: number): number[] {
  const order = Array.from({ length: n }, (_, index) => index);
  const draws = uniformStream(seed);
  for (let last = n - 1; last > 0; last -= 1) {
    const other = Math.floor(draws.next().value * (last + 1));
    const [a, b] = [order[last], order[other]];
    // Both indices lie in 0..n-1, which the compiler cannot know.
    if (a === undefined || b === undefined) throw new RangeError(`no index ${last} or ${other}`);
    order[last] = b;
    order[other] = a;
  }
  return order;
}

/** SHA-256 in counter mode, four draws a block. */
function* uniformStream(seed: number): Generator<number, never> {
  for (let block = 0; ; block += 1) {
    const bytes = digest([seed, 'shuffle', block]);
    for (let offset = 0; offset < bytes.length; offset += 8) {
      yield drawAt(bytes, offset) / TWO_TO_53;
    }
  }
}

function digest(parts: readonly (string | number)[]): Buffer {
  return createHash('sha256').update(canonicalJson(parts)).digest();
}

/** The top 53 of the 64 bits at `offset`, as an integer. */
function drawAt(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64BE(offset) >> 11n);
}
