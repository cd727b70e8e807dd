/** What a study's page is made from. Every text in it may be hostile: it is escaped, never trusted. */
import type { PaperResults, PaperTable } from '../contract/paper-results.ts';
import type {
  ClaimResult,
  PlannedRun,
  StudyRequest,
  StudyResult,
  Verdict,
} from '../contract/study.ts';

export interface StudyPageInput {
  readonly result: StudyResult;
  readonly request: StudyRequest;
  readonly runs: readonly PlannedRun[];
  readonly paper: PaperResults;
}

export const VERDICT_LABELS: Readonly<Record<Verdict, string>> = {
  holds: 'holds',
  does_not_hold: 'does not hold',
  undecided: 'undecided',
  not_measured: 'not measured',
};

/** The published table beside a study, or null. */
export function paperTableOf({ request, paper }: StudyPageInput): PaperTable | null {
  const name = request.description.paper?.table;
  return name === undefined ? null : (paper.tables[name] ?? null);
}

/** Verdicts that any claim got, with their numbers, in a fixed order. */
export function verdictCounts(claims: readonly ClaimResult[]): [Verdict, number][] {
  const order: Verdict[] = ['holds', 'does_not_hold', 'undecided', 'not_measured'];
  return order
    .map((verdict): [Verdict, number] => [
      verdict,
      claims.filter((claim) => claim.verdict === verdict).length,
    ])
    .filter(([, count]) => count > 0);
}
