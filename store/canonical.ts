/** One spelling per value: what is hashed or compared byte for byte is written through this file. */
import { createHash } from 'node:crypto';

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * JSON with keys sorted by UTF-16 code unit, no white space and ECMAScript's number formatting
 * (RFC 8785, which has the same rules).
 *
 * @throws TypeError naming the path of a value that JSON cannot hold: `undefined`, `NaN`,
 * infinities, functions, class instances. They are refused, never dropped.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '$');
}

/** SHA-256 as 64 lower-case hex digits; text is hashed as UTF-8. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function write(value: unknown, path: string): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    return JSON.stringify(value);
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(String(value), path);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    // Array.from visits the holes of a sparse array, map would skip them.
    return `[${Array.from(value, (item, index) => write(item, `${path}[${index}]`)).join(',')}]`;
  }
  if (typeof value === 'object' && isPlain(value)) {
    const fields = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${write(item, `${path}.${key}`)}`);
    return `{${fields.join(',')}}`;
  }
  throw refuse(typeof value === 'object' ? value.constructor.name : typeof value, path);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function refuse(what: string, path: string): TypeError {
  return new TypeError(`Expected a JSON value at ${path}, got ${what}`);
}
