/**
 * Reads the text of a Python list, as tables of VLMEvalKit hold them in a cell. A grammar of literals
 * and nothing else: no name is looked up, nothing is called. (VLMEvalKit itself evaluates the cell.)
 */
import { floatText, pythonFloat, pythonInt } from './python-float.ts';
import { ScoreInputError } from './scorer.ts';

/** Integers are `bigint`, floats `number`; tuples are lists. */
export type PythonLiteral = null | boolean | string | bigint | number | readonly PythonLiteral[];

/** Deeper nesting is no answer list; the limit keeps hostile cells off the call stack. */
const MAX_DEPTH = 50;

/**
 * A list, tuple, text, number, `True`, `False` or `None`, white space around it.
 * @param place where the text stands, for the message.
 * @throws ScoreInputError for everything else.
 */
export function parsePythonLiteral(text: string, place: string): PythonLiteral {
  const reader = new LiteralReader(text, place);
  const value = reader.value(0);
  reader.expectEnd();
  return value;
}

/** The texts of a cell that is a list (`str()` of each item), or the cell itself where it is none. */
export function parseTextList(cell: string, place: string): string[] {
  const trimmed = cell.trim();
  if (!trimmed.startsWith('[') || !trimmed.endsWith(']')) return [cell];
  const value = parsePythonLiteral(trimmed, place);
  return Array.isArray(value) ? value.map((item: PythonLiteral) => itemText(item, place)) : [cell];
}

function itemText(item: PythonLiteral, place: string): string {
  switch (typeof item) {
    case 'string':
      return item;
    case 'bigint':
      return item.toString();
    case 'number':
      return floatText(item);
    case 'boolean':
      return item ? 'True' : 'False';
    default:
      if (item === null) return 'None';
      throw new ScoreInputError(
        `Expected a list of texts or numbers at ${place}, and one of its items is a list itself. Is the column the right one?`,
      );
  }
}

const NAMED: ReadonlyMap<string, PythonLiteral> = new Map<string, PythonLiteral>([
  ['True', true],
  ['False', false],
  ['None', null],
]);

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\n', ''],
]);

const HEX_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

class LiteralReader {
  private readonly text: string;
  private readonly place: string;
  private at = 0;

  constructor(text: string, place: string) {
    this.text = text;
    this.place = place;
  }

  value(depth: number): PythonLiteral {
    if (depth > MAX_DEPTH) throw this.unexpected('less deeply nested lists');
    this.skipSpace();
    const next = this.peek();
    if (next === '[') return this.items(']', depth);
    if (next === '(') return this.items(')', depth);
    if (this.isString()) return this.strings();
    const word = this.take(/[+-]?[\w.]+(?:(?<=[eE])[+-]\d+)?/y);
    const named = NAMED.get(word);
    if (named !== undefined) return named;
    return this.number(word);
  }

  expectEnd(): void {
    this.skipSpace();
    if (this.at < this.text.length) throw this.unexpected('nothing after the literal');
  }

  private items(close: ']' | ')', depth: number): PythonLiteral {
    this.at++;
    const items: PythonLiteral[] = [];
    let isTuple = close === ']';
    for (;;) {
      this.skipSpace();
      if (this.peek() === close) break;
      items.push(this.value(depth + 1));
      this.skipSpace();
      if (this.peek() !== ',') break;
      this.at++;
      isTuple = true;
    }
    if (this.peek() !== close) throw this.unexpected(`"," or "${close}"`);
    this.at++;
    const [only] = items;
    // Brackets around one value make no tuple.
    return isTuple || only === undefined ? items : only;
  }

  private number(word: string): bigint | number {
    if (/^[+-]?[\d.]/.test(word)) {
      const whole = pythonInt(word);
      if (whole !== null) return whole;
      const value = pythonFloat(word);
      if (value !== null) return value;
    }
    this.at -= word.length;
    throw this.unexpected('a list, a text in quotes, a number, True, False or None');
  }

  private isString(): boolean {
    const [first = '', second = ''] = this.text.slice(this.at, this.at + 2);
    return isQuote(first) || (/[rRuU]/.test(first) && isQuote(second));
  }

  /** Texts side by side are one text, as in Python. */
  private strings(): string {
    const parts: string[] = [];
    do {
      parts.push(this.string());
      this.skipSpace();
    } while (this.isString());
    return parts.join('');
  }

  private string(): string {
    const isRaw = /[rR]/.test(this.peek());
    if (!isQuote(this.peek())) this.at++;
    const quote = this.peek();
    this.at++;
    const parts: string[] = [];
    for (;;) {
      parts.push(this.take(quote === '"' ? /[^"\\\n]*/y : /[^'\\\n]*/y));
      const next = this.peek();
      if (next === quote) break;
      if (next !== '\\') throw this.unexpected(`a closing ${quote}`);
      parts.push(isRaw ? this.rawPair() : this.escape());
    }
    this.at++;
    return parts.join('');
  }

  private rawPair(): string {
    const pair = this.text.slice(this.at, this.at + 2);
    this.at += 2;
    return pair;
  }

  private escape(): string {
    this.at++;
    const kind = this.peek();
    const simple = SIMPLE_ESCAPES.get(kind);
    if (simple !== undefined) {
      this.at++;
      return simple;
    }
    const octal = this.take(/[0-7]{0,3}/y);
    if (octal !== '') return String.fromCharCode(Number.parseInt(octal, 8));
    const digits = HEX_ESCAPES.get(kind);
    if (digits !== undefined) return this.hexEscape(digits);
    if (kind === 'N' || kind === '') throw this.unexpected('an escape with digits');
    // Python keeps the backslash of an escape that it does not know.
    return '\\';
  }

  private hexEscape(digits: number): string {
    const hex = this.text.slice(this.at + 1, this.at + 1 + digits);
    const point = Number.parseInt(hex, 16);
    if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length < digits || point > 0x10ffff) {
      throw this.unexpected(`${digits} hexadecimal digits of a character`);
    }
    this.at += 1 + digits;
    return String.fromCodePoint(point);
  }

  private peek(): string {
    return this.text.charAt(this.at);
  }

  private skipSpace(): void {
    this.take(/[ \t\r\n\f]*/y);
  }

  /** What the sticky pattern finds here; '' where it finds nothing. */
  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found = ''] = pattern.exec(this.text) ?? [];
    this.at += found.length;
    return found;
  }

  private unexpected(expected: string): ScoreInputError {
    const got = JSON.stringify(this.text.slice(this.at, this.at + 20));
    return new ScoreInputError(
      `Expected ${expected} in the Python literal at ${this.place}, character ${this.at + 1}, got ${got}. Write the cell as a list of texts: ['red', 'dark red'].`,
    );
  }
}

function isQuote(character: string): boolean {
  return character === '"' || character === "'";
}
