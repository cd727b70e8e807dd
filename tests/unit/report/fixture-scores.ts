/** Scores of two rounds over scenes, in round figures, and their differences. */
import type { Comparison, Measure, Scores } from '../../../contract/measures.ts';
import type { EvaluatedPolicy } from '../../../contract/status.ts';

export function measure(value: number, half = 0.035, n = 600): Measure {
  return { value, low: value - half, high: value + half, n };
}

export const SET = 'scenes-test';

const VALUES: Record<number, Record<EvaluatedPolicy, Record<string, number>>> = {
  1: {
    base: { accuracy: 0.552, accuracy_dar: 0.612, description_f1: 0.81, hallucination_rate: 0.241 },
    preference_training: {
      accuracy: 0.561,
      accuracy_dar: 0.655,
      description_f1: 0.862,
      hallucination_rate: 0.171,
    },
    infused_training: {
      accuracy: 0.588,
      accuracy_dar: 0.71,
      description_f1: 0.858,
      hallucination_rate: 0.176,
    },
  },
  2: {
    base: { accuracy: 0.588, accuracy_dar: 0.71, description_f1: 0.858, hallucination_rate: 0.176 },
    preference_training: {
      accuracy: 0.584,
      accuracy_dar: 0.722,
      description_f1: 0.871,
      hallucination_rate: 0.159,
    },
    infused_training: {
      accuracy: 0.601,
      accuracy_dar: 0.74,
      description_f1: 0.866,
      hallucination_rate: 0.163,
    },
  },
};

const TYPES = ['color', 'count', 'position', 'shape'];

export function scores(round: number, policy: EvaluatedPolicy): Scores {
  const values = VALUES[round <= 1 ? 1 : 2]?.[policy] ?? {};
  const { accuracy_dar = 0 } = values;
  const measures = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, measure(value)]),
  );
  const typed = Object.fromEntries(
    TYPES.map((type, index) => [
      `accuracy_dar/${type}`,
      measure(accuracy_dar + (index - 1.5) * 0.08, 0.07, 150),
    ]),
  );
  return {
    set: SET,
    benchmark: 'scenes',
    measures: { ...measures, ...typed, unparsed_rate: measure(0.012, 0.008) },
    num_images: 150,
    num_questions: 600,
    num_unparsed: 7,
    figures: [],
    contamination: null,
    conditions: null,
  };
}

export function comparison(from: Scores, to: Scores): Comparison {
  const deltas = Object.entries(to.measures).flatMap(([name, { value, n }]) => {
    const before = from.measures[name];
    return before === undefined ? [] : [[name, measure(value - before.value, 0.028, n)] as const];
  });
  return {
    set: SET,
    deltas: Object.fromEntries(deltas),
    tests: {},
    num_fixed: 84,
    num_broken: 31,
    num_both_wrong: 160,
    num_both_right: 325,
  };
}
