/** Figures and texts as the page shows them. Pure; every section formats through this file. */
import type { Measure } from '../contract/measures.ts';
import type { DataUri } from './input.ts';
import { REPORT_LIMITS } from './input.ts';

const MINUS = '\u2212';
const NARROW_SPACE = '\u202f';

/** As written in sentences; the narrow space keeps it on one line. */
export const CONFIDENCE = `95${NARROW_SPACE}%`;

/** A share as per cent: 0.6123 -> `61.2 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1).replace('-', MINUS)}${NARROW_SPACE}%`;
}

/** A difference of shares in percentage points, always signed: 0.0123 -> `+1.2`. */
export function points(difference: number): string {
  const rounded = (Math.abs(difference) * 100).toFixed(1);
  if (rounded === '0.0') return '0.0';
  return `${difference > 0 ? '+' : MINUS}${rounded}`;
}

/** `58.1 to 64.3`, in per cent. */
export function interval({ low, high }: Measure): string {
  return `${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)}`;
}

/** `+1.2 to +4.3`, in percentage points. */
export function pointsInterval({ low, high }: Measure): string {
  return `${points(low)} to ${points(high)}`;
}

/** 12345 -> `12,345`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 pair`, `3 pairs`; nouns with an irregular plural name it. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** 75.2 -> `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (hours > 0) return `${String(hours)} h ${String(minutes)} min`;
  if (minutes > 0) return `${String(minutes)} min ${String(whole % 60)} s`;
  return `${seconds < 10 ? seconds.toFixed(1) : String(whole)} s`;
}

/** Enough of a hash to tell artifacts of one run apart by eye. */
export function shortHash(hash: string): string {
  return hash.slice(0, 10);
}

/** A snake_case name of ours as words: `infused_training` -> `infused training`. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}

/**
 * Foreign text as it may be shown: control characters become visible signs, lone surrogates (no
 * Unicode text, and unencodable as UTF-8) become U+FFFD. Escaping of HTML is the renderer's.
 */
export function visible(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd').replace(/\p{Cc}/gu, picture);
}

/** The same value with every string in it, names of fields too, made {@link visible}. */
export function allVisible<T>(value: T): T {
  // Strings stay strings and nothing else changes: the type is the same by construction.
  return withVisibleStrings(value) as T;
}

function withVisibleStrings(value: unknown): unknown {
  if (typeof value === 'string') return visible(value);
  if (Array.isArray(value)) return value.map(withVisibleStrings);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, inner]) => [visible(key), withVisibleStrings(inner)]),
  );
}

function picture(control: string): string {
  if (control === '\n' || control === '\t') return control;
  const code = control.charCodeAt(0);
  // U+2400 is the first of Unicode's pictures of control characters, in the same order.
  return code < 0x20 ? String.fromCodePoint(0x2400 + code) : '\ufffd';
}

const IMAGE_DATA_URI = /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/** The URI when it is a small enough inline image, else null: nothing else gets into `src`. */
export function safeImage(uri: DataUri | null): DataUri | null {
  if (uri === null || uri.length > REPORT_LIMITS.data_uri_chars) return null;
  return IMAGE_DATA_URI.test(uri) ? uri : null;
}
