/**
 * Corruptions that libvips does not have, on raw 8-bit RGB, in place. The same parameters give the same
 * bytes on every machine: no drawing but from the recorded seed.
 */
import { shuffledOrder } from '../store/random.ts';

/** 8-bit RGB, rows from the top, without padding. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const CHANNELS = 3;
const GREY = 128;
/** POVID 92c7c67 llava/train/train_dpo_inherent.py:59-84. */
const DIFFUSION = { steps: 1000, from: 1e-5, to: 0.005 } as const;

/** Covers a rectangle with mid grey. */
export function occlude({ data, width }: Pixels, area: Rectangle): void {
  for (let row = area.top; row < area.top + area.height; row += 1) {
    const start = (row * width + area.left) * CHANNELS;
    data.fill(GREY, start, start + area.width * CHANNELS);
  }
}

/** Moves equal tiles around one cycle of the seed: none stays in place but what is left over at the edges. */
export function shufflePatches(
  pixels: Pixels,
  { columns, rows, seed }: { columns: number; rows: number; seed: number },
): void {
  const before = Uint8Array.from(pixels.data);
  const [width, height] = [Math.floor(pixels.width / columns), Math.floor(pixels.height / rows)];
  const offset = (tile: number, row: number): number => {
    const [left, top] = [(tile % columns) * width, Math.floor(tile / columns) * height];
    return ((top + row) * pixels.width + left) * CHANNELS;
  };
  const cycle = shuffledOrder(seed, columns * rows);
  cycle.forEach((from, index) => {
    const to = cycle[(index + 1) % cycle.length] ?? from;
    for (let row = 0; row < height; row += 1) {
      const start = offset(from, row);
      pixels.data.set(before.subarray(start, start + width * CHANNELS), offset(to, row));
    }
  });
}

/**
 * Forward diffusion on the 0..1 pixels: sqrt(a) x + sqrt(1 - a) e, with e from the normal distribution and a
 * as in {@link signalShare}. POVID keeps what falls outside 0..1; a picture that people can look at cannot.
 */
export function diffuse({ data }: Pixels, { step, seed }: { step: number; seed: number }): void {
  const share = signalShare(step);
  const [keep, spread] = [Math.sqrt(share), 255 * Math.sqrt(1 - share)];
  const next = normals(seed);
  for (let index = 0; index < data.length; index += 1) {
    const value = keep * (data[index] ?? 0) + spread * next();
    data[index] = Math.min(255, Math.max(0, Math.round(value)));
  }
}

/** Share of the picture's variance that is left after `step`: the product of 1 - beta up to it. */
export function signalShare(step: number): number {
  let share = 1;
  for (let at = 0; at <= step; at += 1) {
    const place = -6 + (12 * at) / (DIFFUSION.steps - 1);
    const beta = (DIFFUSION.to - DIFFUSION.from) / (1 + Math.exp(-place)) + DIFFUSION.from;
    share *= 1 - beta;
  }
  return share;
}

/** Standard normal numbers of a seed in 0..2^53-1 (Box and Muller, over sfc32). */
function normals(seed: number): () => number {
  const next = uniforms(seed);
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    // 1 - u lies in (0, 1]: its logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/** Numbers in [0, 1) by sfc32 (PractRand): 32 bits each, and quick enough for millions of pixels. */
function uniforms(seed: number): () => number {
  let [a, b, c, counter] = [seed % 2 ** 32, Math.floor(seed / 2 ** 32), 0, 1];
  const next = (): number => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + sum) >>> 0;
    return sum / 2 ** 32;
  };
  // The seed reaches every bit of the state.
  for (let round = 0; round < 12; round += 1) next();
  return next;
}
