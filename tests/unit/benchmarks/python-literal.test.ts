/** Every expected value is what CPython 3.11's `ast.literal_eval` gives. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type PythonLiteral,
  parsePythonLiteral,
  parseTextList,
} from '../../../benchmarks/python-literal.ts';
import { ScoreInputError } from '../../../benchmarks/scorer.ts';

const parse = (text: string): PythonLiteral => parsePythonLiteral(text, 'table.tsv:3');

describe('parsePythonLiteral', () => {
  it.each<[string, PythonLiteral]>([
    ["['a', 'b']", ['a', 'b']],
    [`["it's", 'say "no"']`, ["it's", 'say "no"']],
    ['[]', []],
    [' [ 1 , -2.5 , 1e3, 1_000,] ', [1n, -2.5, 1000, 1000n]],
    ['[True, False, None]', [true, false, null]],
    ["('a',)", ['a']],
    ["('a')", 'a'],
    ['()', []],
    ["[['a'], ('b', 1)]", [['a'], ['b', 1n]]],
    [`'a' "b"`, 'ab'],
    [String.raw`'\n\t\\\'\x41\u00e9\U0001f600\101\q'`, "\n\t\\'Aé😀A\\q"],
    [String.raw`r'\n'`, '\\n'],
    [String.raw`'\0'`, '\0'],
    ['"△ABC，110°"', '△ABC，110°'],
    ['99999999999999999999', 99999999999999999999n],
  ])('reads %s', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it.each([
    '',
    '[',
    "['a'",
    "['a' 'b' 1]",
    "['a']]",
    "'a\nb'",
    "'a",
    '[a]',
    '[nan]',
    '__import__("os").system("touch evaluated")',
    '[x for x in ()]',
    "{'a': 1}",
    "b'a'",
    "f'{1}'",
    '1 + 1',
    '[1j]',
    '0x10',
    "array(['a'], dtype=object)",
    String.raw`'\x4'`,
    String.raw`'\U00110000'`,
    String.raw`'\N{BULLET}'`,
    '['.repeat(100_000),
    '('.repeat(100_000),
  ])('refuses %.40s and says where', (text) => {
    expect(() => parse(text)).toThrow(ScoreInputError);
    expect(() => parse(text)).toThrow(
      /table\.tsv:3, character \d+, got .*Write the cell as a list/,
    );
  });

  it('reads back every list of texts as Python prints it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        expect(parse(`[${texts.map(pythonRepr).join(', ')}]`)).toEqual(texts);
      }),
    );
  });

  it('never throws anything but ScoreInputError, and evaluates nothing', () => {
    const piece = fc.oneof(
      fc.constantFrom('[', ']', '(', ')', "'", '"', '\\', ',', ' ', 'True', 'None', '1', '.', 'e'),
      fc.constantFrom('globalThis.evaluated = true', 'r', 'u', '\\x', '\\u', '\n', '-', '_'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, (cell) => {
        try {
          parse(cell);
        } catch (error) {
          expect(error).toBeInstanceOf(ScoreInputError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(Reflect.has(globalThis, 'evaluated')).toBe(false);
  });

  it('takes huge cells in little time', () => {
    const started = performance.now();

    expect(parse(`['${'a'.repeat(1_000_000)}']`)).toHaveLength(1);
    expect(parse(`[${"'a', ".repeat(100_000)}]`)).toHaveLength(100_000);
    expect(() => parse(`'${'\\'.repeat(1_000_001)}`)).toThrow(ScoreInputError);
    expect(() => parse('1'.repeat(1_000_000).concat('x'))).toThrow(ScoreInputError);

    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('parseTextList', () => {
  it.each([
    ["['red', 2, 1.50, True, None]", ['red', '2', '1.5', 'True', 'None']],
    ['red', ['red']],
    ['[red', ['[red']],
    ['', ['']],
  ])('reads %j', (cell, texts) => {
    expect(parseTextList(cell, 'here')).toEqual(texts);
  });

  it.each(['[red]', "[['a']]"])('refuses %s', (cell) => {
    expect(() => parseTextList(cell, 'here')).toThrow(ScoreInputError);
  });
});

/** `repr(text)` as far as it matters: single quotes, everything unusual escaped. */
function pythonRepr(text: string): string {
  const escaped = Array.from(text, (character) => {
    const point = character.codePointAt(0) ?? 0;
    if (character === "'" || character === '\\') return `\\${character}`;
    if (point >= 0x20 && point < 0x7f) return character;
    return `\\U${point.toString(16).padStart(8, '0')}`;
  });
  return `'${escaped.join('')}'`;
}
