/** `publishRound`: what a round came to, chained to the one before. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { holm } from '../benchmarks/significance.ts';
import { type Activities, PublishRoundInput } from '../contract/activities.ts';
import { Comparison, Scores } from '../contract/measures.ts';
import type { RoundResult } from '../contract/status.ts';
import { canonicalJson } from '../store/canonical.ts';
import { runDir } from '../store/layout.ts';
import { runIdOf } from '../store/run-id.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { policyId } from './policy-id.ts';
import { readRunConfig } from './prepare-run.ts';
import { writeWholeFile } from './whole-file.ts';

/** 2: with the tests of its comparisons. */
const STAGE_VERSION = 2;

type PublishedResult = z.infer<typeof PublishRoundInput>['result'];
/** What a person looks at first, where it was measured. */
const HEADLINE = [
  'accuracy',
  'accuracy_dar',
  'f1',
  'f1_dar',
  'description_f1',
  'hallucination_rate',
] as const;

export function roundsActivities(deps: ActivityDependencies): Pick<Activities, 'publishRound'> {
  return {
    async publishRound(input) {
      const { config, result } = PublishRoundInput.parse(input);
      const { config: experiment } = await readRunConfig(deps.store, config);
      const scores = await Promise.all(
        result.scores.map(async (scored) => {
          const { measures } = await deps.store.readJson(scored.scores, 'scores.json', Scores);
          const headline = Object.fromEntries(
            HEADLINE.flatMap((name) =>
              measures[name] === undefined ? [] : [[name, measures[name]]],
            ),
          );
          return { ...scored, headline };
        }),
      );
      const comparisons = await tested(deps.store, result, experiment.decision.measure);
      const document: RoundResult = { ...result, scores, comparisons };
      const spec = {
        kind: 'round_result' as const,
        inputs: [
          ...Object.values(result.artifacts),
          ...result.scores.map((scored) => scored.scores),
          ...result.comparisons.map(({ comparison }) => comparison),
          ...(result.previous === null ? [] : [result.previous]),
        ],
        parameters: {
          round: result.round,
          start_policy: policyId(result.start_policy),
          end_policy: policyId(result.end_policy),
          decision: { ...result.decision },
          counts: result.counts,
          tested_measure: experiment.decision.measure,
        },
        version: STAGE_VERSION,
      };
      const text = `${canonicalJson(document)}\n`;
      const round_result = await deps.store.build(spec, async (directory) => {
        await writeFile(join(directory, 'round_result.json'), text);
        return 0;
      });
      const folder = runDir(deps.workspace, runIdOf(experiment));
      await writeWholeFile(join(folder, `round-${String(result.round)}.json`), text);
      return { round_result };
    },
  };
}

/** The deciding measure's tests; the sets of the same two policies are one table. */
async function tested(
  store: Store,
  { comparisons }: Pick<PublishedResult, 'comparisons'>,
  measure: string,
): Promise<RoundResult['comparisons']> {
  const tests = await Promise.all(
    comparisons.map(async ({ comparison }) => {
      const document = await store.readJson(comparison, 'comparison.json', Comparison);
      return document.tests[measure];
    }),
  );
  return comparisons.map((compared, index) => {
    const own = tests[index];
    if (own === undefined) return { ...compared, significance: null };
    const table = comparisons.flatMap((other, place) => {
      const test = tests[place];
      const isOfTable = other.from === compared.from && other.to === compared.to;
      return isOfTable && test !== undefined ? [{ place, p_value: test.p_value }] : [];
    });
    const adjusted = holm(table.map(({ p_value }) => p_value));
    const p_holm = adjusted[table.findIndex(({ place }) => place === index)] ?? 1;
    return { ...compared, significance: { ...own, measure, p_holm } };
  });
}
