/** Numbers as Python reads and writes them: `float(text)`, `int(text)`, `repr(float)`. */
const DIGITS = String.raw`\d(?:_?\d)*`;
const FLOAT = new RegExp(
  `^[+-]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`,
  'i',
);
const INT = new RegExp(`^[+-]?${DIGITS}$`);
const NAMED = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i;
/** CPython refuses longer texts of integers (sys.set_int_max_str_digits). */
const MAX_INT_DIGITS = 4300;

/**
 * `float(text)`; null where Python raises ValueError. Takes surrounding white space, single
 * underscores between digits, digits of every script, `inf`, `infinity` and `nan`; no hexadecimal.
 */
export function pythonFloat(text: string): number | null {
  const ascii = asciiDigits(trimmed(text));
  const named = NAMED.exec(ascii);
  if (named !== null) {
    if (named[2] === undefined) return Number.NaN;
    return named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  return FLOAT.test(ascii) ? Number(ascii.replaceAll('_', '')) : null;
}

/** `int(text)`; null where Python raises ValueError. */
export function pythonInt(text: string): bigint | null {
  const ascii = asciiDigits(trimmed(text));
  if (!INT.test(ascii)) return null;
  const digits = ascii.replaceAll('_', '');
  if (digits.replace(/^[+-]/, '').length > MAX_INT_DIGITS) return null;
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''));
}

/** `str(int(value))`: cut towards zero; null for infinities and NaN, where Python raises. */
export function intText(value: number): string | null {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)).toString() : null;
}

/** `repr(value)` of a Python float: 100 -> `100.0`, 1e16 -> `1e+16`, 0.00001 -> `1e-05`. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  // Both languages print the shortest digits that read back the same; only the layout differs.
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const sign = exponent < 0 ? '-' : '+';
    return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const plain = exponent < 0 ? fixed(value, mantissa, exponent) : String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}

function fixed(value: number, mantissa: string, exponent: number): string {
  const digits = mantissa.replace(/[-.]/g, '');
  return `${value < 0 ? '-' : ''}0.${'0'.repeat(-exponent - 1)}${digits}`;
}

/** Number texts may stand between spaces, but not between the separators U+001C to U+001F. */
const AROUND = /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/u;

function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && AROUND.test(text.charAt(start))) start++;
  while (end > start && AROUND.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Decimal digits of every script as ASCII: Unicode keeps them in runs of ten, zero first. */
function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const point = digit.codePointAt(0) ?? 0;
    let start = point;
    while (isDigit(start - 1)) start--;
    return String((point - start) % 10);
  });
}

function isDigit(point: number): boolean {
  return /^\p{Nd}$/u.test(String.fromCodePoint(point));
}
