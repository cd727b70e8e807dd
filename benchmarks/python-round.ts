/** Rounding as Python and NumPy do it; the two differ, and official scripts use both. */

/** More digits than any tie can need: a double near 1 ends within 53 binary digits. */
const EXACT_DIGITS = 40;

/**
 * `round(value, digits)` of a Python float: the exact binary value, ties to even, so 2.675 -> 2.67
 * and 0.125 -> 0.12.
 *
 * @throws RangeError unless `digits` is an integer from 0 to 20.
 */
export function pythonRound(value: number, digits: number): number {
  if (!Number.isInteger(digits) || digits < 0 || digits > 20) {
    throw new RangeError(`Expected digits to be an integer from 0 to 20, got ${String(digits)}.`);
  }
  // From 2^52 on every double is an integer; infinities and NaN stay what they are.
  if (!(Math.abs(value) < 2 ** 52)) return value;
  const exact = Math.abs(value).toFixed(digits + EXACT_DIGITS);
  const [whole = '0', fraction = ''] = exact.split('.');
  const kept = BigInt(whole + fraction.slice(0, digits));
  const rest = fraction.slice(digits);
  const half = `5${'0'.repeat(EXACT_DIGITS - 1)}`;
  const up = rest > half || (rest === half && kept % 2n === 1n);
  const rounded = Number(`${String(up ? kept + 1n : kept)}e-${String(digits)}`);
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** `numpy.round(value, digits)`: scales, rounds to the nearest even integer, scales back. */
export function numpyRound(value: number, digits: number): number {
  const scale = 10 ** digits;
  const rounded = nearestEven(Math.abs(value) * scale) / scale;
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

function nearestEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
