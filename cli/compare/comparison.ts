/** Two policies on the sets both were scored on: differences with interval and test, and every answer that changed. */
import { join } from 'node:path';
import { deltasOf, isRight, testsOf } from '../../benchmarks/measures.ts';
import { holm } from '../../benchmarks/significance.ts';
import type { ScoredItem } from '../../contract/measures.ts';
import type {
  Change,
  ComparedItem,
  ComparedMeasure,
  ComparedSet,
  ComparisonDocument,
} from '../../report/comparison-input.ts';
import type { Store } from '../../store/store.ts';
import { refusals } from './refusals.ts';
import type { ScoredSet, Side } from './sides.ts';

/** Finer than a run's own intervals; fixed, so that the same comparison has the same figures. */
const RESAMPLING = { num_resamples: 10_000, seed: 0 } as const;

export function compareSides(store: Store, a: Side, b: Side): ComparisonDocument {
  const sets: ComparedSet[] = [];
  const refused: { set: string; reasons: string[] }[] = [];
  for (const set of new Set([...a.sets.keys(), ...b.sets.keys()])) {
    const [one, other] = [a.sets.get(set), b.sets.get(set)];
    if (one === undefined || other === undefined) {
      const name = one === undefined ? b.name : a.name;
      refused.push({ set, reasons: [`only ${name} was scored on it`] });
      continue;
    }
    const reasons = refusals(one, other);
    if (reasons.length > 0) refused.push({ set, reasons });
    else sets.push(comparedSet(store, set, [one, other]));
  }
  const named = ({ name, round, policy }: Side) => ({ name, round, policy });
  return { schema_version: 1, a: named(a), b: named(b), sets: corrected(sets), refused };
}

function comparedSet(
  store: Store,
  set: string,
  [a, b]: readonly [ScoredSet, ScoredSet],
): ComparedSet {
  const { benchmark } = a.scores;
  const options = { ...RESAMPLING, benchmark };
  const deltas = deltasOf(a.items, b.items, options);
  const tests = testsOf(a.items, b.items, options);
  const measures: Record<string, ComparedMeasure> = {};
  for (const [name, delta] of Object.entries(deltas)) {
    const [one, other] = [a.scores.measures[name], b.scores.measures[name]];
    if (one === undefined || other === undefined) continue;
    const test = tests[name];
    const tableTest = test === undefined ? null : { ...test, measure: name, p_holm: test.p_value };
    measures[name] = { a: one, b: other, delta, test: tableTest };
  }
  const items = comparedItems(a.items, b.items, (image_id) =>
    join(store.directory(a.evaluationSet), 'files', `${image_id}.png`),
  );
  const countOf = (mode: ComparedItem['mode'], change: Change): number =>
    items.filter((item) => item.mode === mode && item.change === change).length;
  const counts = (mode: ComparedItem['mode']): Record<Change, number> => ({
    fixed: countOf(mode, 'fixed'),
    broken: countOf(mode, 'broken'),
    both_wrong: countOf(mode, 'both_wrong'),
    both_right: countOf(mode, 'both_right'),
  });
  return {
    set,
    benchmark,
    measures,
    counts: { direct: counts('direct'), dar: counts('dar') },
    items,
  };
}

type Answer = Extract<ScoredItem, { type: 'answer' }>;

function comparedItems(
  a: readonly ScoredItem[],
  b: readonly ScoredItem[],
  imageOf: (imageId: string) => string,
): ComparedItem[] {
  const before = new Map(a.map((item) => [item.item_id, item]));
  return b.flatMap((to): ComparedItem[] => {
    const from = before.get(to.item_id);
    if (to.type !== 'answer' || from?.type !== 'answer') return [];
    if (to.score === null || from.score === null) return [];
    return [
      {
        item_id: to.item_id,
        mode: to.mode,
        change: changeOf(from, to),
        image: to.image_id === null ? null : imageOf(to.image_id),
        question: to.question,
        expected: to.expected,
        prompts: { a: from.prompt ?? from.question, b: to.prompt ?? to.question },
        answers: { a: from.text, b: to.text },
        scores: { a: from.score, b: to.score },
      },
    ];
  });
}

function changeOf(from: Answer, to: Answer): Change {
  if (isRight(to)) return isRight(from) ? 'both_right' : 'fixed';
  return isRight(from) ? 'broken' : 'both_wrong';
}

/** Holm over the sets: one table for each measure. */
function corrected(sets: readonly ComparedSet[]): ComparedSet[] {
  const adjusted = new Map<string, Map<string, number>>();
  const names = new Set(sets.flatMap(({ measures }) => Object.keys(measures)));
  for (const name of names) {
    const table = sets.flatMap(({ set, measures }) => {
      const p = measures[name]?.test?.p_value;
      return p === undefined ? [] : [{ set, p }];
    });
    const values = holm(table.map(({ p }) => p));
    adjusted.set(name, new Map(table.map(({ set }, index) => [set, values[index] ?? 1])));
  }
  return sets.map((compared) => ({
    ...compared,
    measures: Object.fromEntries(
      Object.entries(compared.measures).map(([name, measure]) => {
        const p_holm = adjusted.get(name)?.get(compared.set) ?? 1;
        const test = measure.test === null ? null : { ...measure.test, p_holm };
        return [name, { ...measure, test }];
      }),
    ),
  }));
}
