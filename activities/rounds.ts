/** `publishRound`: what a round came to, chained to the one before. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Activities, PublishRoundInput } from '../contract/activities.ts';
import { Scores } from '../contract/measures.ts';
import type { RoundResult } from '../contract/status.ts';
import { canonicalJson } from '../store/canonical.ts';
import { runDir } from '../store/layout.ts';
import { runIdOf } from '../store/run-id.ts';
import type { ActivityDependencies } from './context.ts';
import { policyId } from './policy-id.ts';
import { readRunConfig } from './prepare-run.ts';
import { writeWholeFile } from './whole-file.ts';

const STAGE_VERSION = 1;
/** What a person looks at first, where it was measured. */
const HEADLINE = ['accuracy', 'accuracy_dar', 'description_f1', 'hallucination_rate'] as const;

export function roundsActivities(deps: ActivityDependencies): Pick<Activities, 'publishRound'> {
  return {
    async publishRound(input) {
      const { config, result } = PublishRoundInput.parse(input);
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
      const document: RoundResult = { ...result, scores };
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
        },
        version: STAGE_VERSION,
      };
      const text = `${canonicalJson(document)}\n`;
      const round_result = await deps.store.build(spec, async (directory) => {
        await writeFile(join(directory, 'round_result.json'), text);
        return 0;
      });
      const { config: experiment } = await readRunConfig(deps.store, config);
      const folder = runDir(deps.workspace, runIdOf(experiment));
      await writeWholeFile(join(folder, `round-${String(result.round)}.json`), text);
      return { round_result };
    },
  };
}
