/** From a study's description to its runs: every arm with every seed, each with its whole config. Pure. */
import type { z } from 'zod';
import { ExperimentConfig } from '../contract/config.ts';
import type {
  ConfigChanges,
  PlannedRun,
  StudyArm,
  StudyDescription,
  StudyRequest,
  StudySize,
} from '../contract/study.ts';

/** The description with the arms, rows and claims of one size. */
export function forSize(description: StudyDescription, size: StudySize): StudyDescription {
  const belongs = ({ sizes }: { readonly sizes: readonly StudySize[] | null }): boolean =>
    sizes === null || sizes.includes(size);
  const { arms, rows, claims } = description;
  return {
    ...description,
    arms: arms.filter(belongs),
    rows: rows.filter(belongs),
    claims: claims.filter(belongs),
  };
}

/**
 * The runs in the order in which they are started: seed by seed, arms as described, so that what
 * several arms share is made by the first of them. An arm whose config this version refuses stays in
 * the list, with the reason.
 */
export function plannedRuns({ description, size, base, seeds }: StudyRequest): PlannedRun[] {
  const names = description.arms.map(({ name }) => name);
  return seeds.flatMap((seed, place) =>
    description.arms.map((arm): PlannedRun => {
      const changes = { ...arm.set, ...arm.set_by_size[size], seed };
      const parsed = ExperimentConfig.safeParse(withChanges(base, changes));
      const after = arm.after === null ? null : place * names.length + names.indexOf(arm.after);
      return {
        arm: arm.name,
        seed,
        config: parsed.success ? parsed.data : null,
        unavailable: parsed.success ? null : whyRefused(arm, parsed.error),
        after,
      };
    }),
  );
}

/**
 * A copy with values set by dotted key, sections opened on the way; a list item's key is its number.
 * Whether such a config exists is for the schema to say.
 */
export function withChanges(base: unknown, changes: ConfigChanges): unknown {
  const copy: unknown = structuredClone(base);
  for (const [key, value] of Object.entries(changes)) assign(copy, key.split('.'), value);
  return copy;
}

function assign(root: unknown, path: readonly string[], value: unknown): void {
  let section = root;
  for (const [depth, key] of path.entries()) {
    // A scalar on the way: the schema refuses what is set below it.
    if (typeof section !== 'object' || section === null) return;
    const container = section as Record<string, unknown>; // arrays take their items' numbers as keys
    if (depth === path.length - 1) container[key] = value;
    else section = container[key] ??= {};
  }
}

function whyRefused(arm: StudyArm, error: z.ZodError): string {
  const issues = error.issues.map(({ path, message }) => {
    const key = path.map(String).join('.');
    return key === '' ? message : `${key}: ${message}`;
  });
  return `not available in this version: the arm "${arm.name}" needs ${issues.join('; ')}`.slice(
    0,
    300,
  );
}
