/**
 * What `sticflow compare` finds, and what its page is made from. Every text in it may be hostile: it is escaped,
 * never trusted.
 */
import type { Measure, TableTest } from '../contract/measures.ts';
import type { DataUri } from './input.ts';

export const CHANGES = ['fixed', 'broken', 'both_wrong', 'both_right'] as const;
export type Change = (typeof CHANGES)[number];

/** One question as both sides answered it. */
export interface ComparedItem {
  readonly item_id: string;
  readonly mode: 'direct' | 'dar';
  readonly change: Change;
  /** Path of the PNG; null = a question about text alone. */
  readonly image: string | null;
  readonly question: string;
  readonly expected: string;
  /** Full prompts: with describe-and-respond each side has its own description in it. */
  readonly prompts: { readonly a: string; readonly b: string };
  readonly answers: { readonly a: string; readonly b: string };
  readonly scores: { readonly a: number; readonly b: number };
}

export interface ComparedMeasure {
  readonly a: Measure;
  readonly b: Measure;
  /** `b - a`. */
  readonly delta: Measure;
  /** Corrected for the sets that have the measure; null where a side is undefined. */
  readonly test: TableTest | null;
}

export interface ComparedSet<Item = ComparedItem> {
  readonly set: string;
  readonly benchmark: string;
  readonly measures: Readonly<Record<string, ComparedMeasure>>;
  readonly counts: Readonly<Record<'direct' | 'dar', Readonly<Record<Change, number>>>>;
  readonly items: readonly Item[];
}

interface NamedSide {
  readonly name: string;
  readonly round: number;
  readonly policy: string;
}

export interface ComparisonDocument<Item = ComparedItem> {
  readonly schema_version: 1;
  readonly a: NamedSide;
  readonly b: NamedSide;
  readonly sets: readonly ComparedSet<Item>[];
  readonly refused: readonly { readonly set: string; readonly reasons: readonly string[] }[];
}

/** An item in the page, which has its image in itself. */
export interface ShownItem extends ComparedItem {
  readonly image_data_uri: DataUri | null;
}

/** Items are those that the page shows; counts are over all. */
export type ComparisonPageInput = ComparisonDocument<ShownItem>;
