/**
 * Reads claims out of a description of a scene: docs/scenes.md, "Reading a description", is the
 * definition, and the pre-training gates read by the same rules in Python. Any text is allowed.
 */
import type { SceneTruth } from '../contract/records.ts';
import { COLORS, POSITIONS, SHAPES, SIZES, THINGS } from './scene-words.ts';

/** An object as a text names it; size and position are null where the text does not say. */
export interface MentionedObject {
  readonly shape: string;
  readonly color: string;
  readonly size: string | null;
  readonly position: string | null;
}

export interface DescriptionReading {
  /** First mention of each kind (color and shape), in the order of the text. */
  readonly objects: readonly MentionedObject[];
  readonly things: readonly string[];
}

/** A claim is a kind or a thing that the text says is there. */
export interface ClaimCounts {
  readonly num_claimed: number;
  readonly num_right: number;
  /** Kinds in the picture. */
  readonly num_true: number;
}

// Longest first, so that "top" does not take the beginning of "top-left".
const choice = (words: readonly string[]): string =>
  [...words].sort((a, b) => b.length - a.length).join('|');

const GAP = String.raw`[ \t\r\n]`;
const LEFT_EDGE = '(?<![a-z0-9_-])';
const RIGHT_EDGE = '(?![a-z0-9_-])';
const OBJECT = new RegExp(
  `${LEFT_EDGE}(?:(?<position>${choice(POSITIONS)})${GAP}*:${GAP}*)?(?:an?${GAP}+)?` +
    `(?:(?<size>${choice(SIZES)})${GAP}+)?(?<color>${choice(COLORS)})${GAP}+(?<shape>${choice(SHAPES)})${RIGHT_EDGE}`,
  'gi',
);
const THING = new RegExp(`${LEFT_EDGE}an?${GAP}+(?<thing>${choice(THINGS)})${RIGHT_EDGE}`, 'gi');

/** What a text claims; a text without claims gives an empty reading. */
export function readDescription(text: string): DescriptionReading {
  const objects = new Map<string, MentionedObject>();
  for (const { groups } of text.matchAll(OBJECT)) {
    const object = {
      shape: word(groups, 'shape') ?? '',
      color: word(groups, 'color') ?? '',
      size: word(groups, 'size'),
      position: word(groups, 'position'),
    };
    const kind = kindOf(object);
    if (!objects.has(kind)) objects.set(kind, object);
  }
  const things = new Set<string>();
  for (const { groups } of text.matchAll(THING)) things.add(word(groups, 'thing') ?? '');
  return { objects: [...objects.values()], things: [...things] };
}

/** Counts the claims of a text against the truth; a wrong size or position makes no claim false. */
export function countClaims(text: string, truth: Pick<SceneTruth, 'objects'>): ClaimCounts {
  const { objects, things } = readDescription(text);
  const trueKinds = new Set(truth.objects.map(kindOf));
  return {
    num_claimed: objects.length + things.length,
    num_right: objects.filter((object) => trueKinds.has(kindOf(object))).length,
    num_true: trueKinds.size,
  };
}

function kindOf({ color, shape }: { readonly color: string; readonly shape: string }): string {
  return `${color} ${shape}`;
}

function word(groups: Record<string, string | undefined> | undefined, name: string): string | null {
  return groups?.[name]?.toLowerCase() ?? null;
}
