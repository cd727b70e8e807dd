/**
 * Numbers in [0, 1) from the small fast counting generator sfc32 (C. Doty-Humphrey, PractRand): integer
 * arithmetic only, so equal everywhere; a cryptographic draw would cost 100 times as much here.
 */
export function uniformDraws(seed: number): () => number {
  let a = 0;
  let b = seed >>> 0;
  let c = Math.floor(seed / 2 ** 32) >>> 0;
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + result) >>> 0;
    return result / 2 ** 32;
  };
  // The first outputs still show the seed.
  for (let warmUp = 0; warmUp < 15; warmUp += 1) next();
  return next;
}
