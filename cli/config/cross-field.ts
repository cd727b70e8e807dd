/**
 * zod runs the rules across fields only when every field is right by itself. People want all
 * mistakes at once, so the rules run a second time on a copy without the wrong values.
 */
import type { z } from 'zod';
import { ExperimentConfig } from '../../contract/config.ts';
import { PLACEHOLDER } from './sources.ts';

type Issue = z.core.$ZodIssue;
type Section = Record<PropertyKey, unknown>;

/** Sections whose mistakes would make a rule about this section speak without knowing. */
const LEANS_ON: Readonly<Record<string, readonly string[]>> = {
  decision: ['evaluation'],
  generation: ['evaluation', 'infusion', 'model', 'rounds', 'training_stages'],
  strategy: ['training_stages', 'infusion'],
  infusion: ['training_stages'],
  preference_training: ['training_stages'],
  infused_training: ['training_stages'],
};

/** What every config must say; stands in where the user's value is missing or wrong. */
const REQUIRED = {
  name: 'stand-in',
  model: { source: PLACEHOLDER },
  images: { source: PLACEHOLDER },
} as const;

/** Rules across fields that are broken no matter how the other findings will be mended. */
export function crossFieldFindings(value: unknown, findings: readonly Issue[]): readonly Issue[] {
  if (findings.length === 0 || !isSection(value)) return [];
  const known = withoutUnknownKeys(value, findings);
  const wrong = new Set(
    findings
      .filter((issue) => issue.code !== 'unrecognized_keys')
      .map((issue) => String(issue.path[0])),
  );
  const right = Object.entries(known).filter(([key]) => !wrong.has(key));
  const parsed = ExperimentConfig.safeParse({ ...REQUIRED, ...Object.fromEntries(right) });
  if (parsed.success) return [];
  return parsed.error.issues.filter((issue) => {
    const section = String(issue.path[0]);
    const basis = [section, ...(LEANS_ON[section] ?? [])];
    return issue.code === 'custom' && !basis.some((name) => wrong.has(name));
  });
}

function withoutUnknownKeys(value: Section, findings: readonly Issue[]): Section {
  const copy = structuredClone(value);
  for (const issue of findings) {
    if (issue.code !== 'unrecognized_keys') continue;
    let section: unknown = copy;
    for (const segment of issue.path) section = isSection(section) ? section[segment] : undefined;
    for (const key of issue.keys) if (isSection(section)) Reflect.deleteProperty(section, key);
  }
  return copy;
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
