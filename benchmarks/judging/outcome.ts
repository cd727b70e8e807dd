/** Judgements by item and run, and which failures an official script would have counted. */
import type { Judgement } from '../../contract/judgements.ts';

/** Finds the judgement of an item in a run. */
export function byItemAndRun(
  judgements: readonly Judgement[],
): (itemId: string, run: number) => Judgement | undefined {
  const found = new Map(judgements.map((each) => [keyOf(each.item_id, each.run), each]));
  return (itemId, run) => found.get(keyOf(itemId, run));
}

export function numRuns(judgements: readonly Judgement[]): number {
  return judgements.reduce((most, { run }) => Math.max(most, run), 1);
}

/**
 * True where the judge replied and the reply was of no use: the official scripts make a number of
 * that. They wait for ever where no reply comes, so for that there is no official number.
 */
export function isOfficialFailure({ missing }: Judgement): boolean {
  return missing === 'unreadable' || missing === 'refused';
}

function keyOf(itemId: string, run: number): string {
  return `${String(run)}/${itemId}`;
}
