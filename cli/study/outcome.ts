/** What a study found, as the document of `--json` and as tables for people. */
import type { Measure } from '../../contract/measures.ts';
import type { StudyResult } from '../../contract/study.ts';
import { studyPageFile } from '../../store/layout.ts';
import { EXIT } from '../exit-codes.ts';
import { type Outcome, table } from '../output.ts';

/** Exit code 4 when a run failed: its figures are missing, the others stand. */
export function studyOutcome(workspace: string, result: StudyResult): Outcome {
  const page = studyPageFile(workspace, result.study_id);
  const failed = result.runs.some(({ state }) => state === 'failed');
  return {
    document: { ...result, features: featuresDocument(result), page },
    text: `${studyText(result)}\n\nstudy: ${result.study_id}\npage: ${page}`,
    exitCode: failed ? EXIT.failed : EXIT.done,
  };
}

/** Rows with their measures, claims with their verdicts, and runs that gave nothing. */
export function studyText(result: StudyResult): string {
  const names = [...new Set(result.rows.flatMap(({ measures }) => Object.keys(measures)))];
  const rows = result.rows.map(({ title, num_seeds, measures }) => [
    title,
    String(num_seeds),
    ...names.map((name) => level(measures[name])),
  ]);
  const claims = result.claims.map(({ verdict, text, delta, paper_delta }) => [
    verdict.replaceAll('_', ' '),
    text,
    delta === null ? '' : signed(delta),
    paper_delta === null ? '' : `paper ${paper_delta > 0 ? '+' : ''}${String(paper_delta)}`,
  ]);
  const left = result.runs
    .filter(({ state }) => state !== 'completed')
    .map(({ arm, seed, state, message }) => [
      `${arm} · seed ${String(seed)}`,
      state.replace('_', ' '),
      message,
    ]);
  return [
    table([['', 'seeds', ...names], ...rows]),
    ...(claims.length === 0 ? [] : [table(claims)]),
    ...(left.length === 0 ? [] : [table(left)]),
  ].join('\n\n');
}

/** Points of the map are for the page; a script finds them in the artifact. */
function featuresDocument({ features }: StudyResult): unknown {
  if (features === null) return null;
  const { points, ...rest } = features;
  return { ...rest, num_points: points.length };
}

function level(measure: Measure | undefined): string {
  if (measure === undefined) return 'not measured';
  const { value, low, high } = measure;
  return `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function signed({ value, low, high }: Measure): string {
  const points = (share: number): string => `${share > 0 ? '+' : ''}${(share * 100).toFixed(1)}`;
  return `${points(value)} [${points(low)}, ${points(high)}]`;
}
