/** Items left out of a data set, and the point at which there are too many of them. */
import type { QuarantineRecord } from '../contract/records.ts';
import { SticflowError } from '../store/errors.ts';

const MAX_DETAIL_CHARS = 500;

/** A record of something that was left out; `sha256` is null when its bytes were not read. */
export function leftOut(
  sourceName: string,
  reason: QuarantineRecord['reason'],
  detail: string,
  sha256: string | null = null,
): QuarantineRecord {
  return { source_name: sourceName, reason, detail: detail.slice(0, MAX_DETAIL_CHARS), sha256 };
}

/** How many were left out, by reason, as `quarantined/<reason>`. */
export function countByReason(records: readonly QuarantineRecord[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of records) {
    const name = `quarantined/${reason}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

interface Checked {
  /** What the items are, as in "images of images.source". */
  readonly what: string;
  readonly num_items: number;
  readonly quarantined: readonly QuarantineRecord[];
  readonly max_bad_ratio: number;
  /** Where the whole list can be read. */
  readonly listed_in: string;
}

/** @throws SticflowError `TooManyBadImages` with the commonest reasons and examples. */
export function refuseTooManyBad(checked: Checked): void {
  const { what, num_items, quarantined, max_bad_ratio, listed_in } = checked;
  if (quarantined.length <= max_bad_ratio * num_items) return;
  const worst = Object.entries(countByReason(quarantined))
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([name, count]) => `${count} ${name.slice('quarantined/'.length)}`);
  const examples = quarantined.slice(0, 3).map(({ source_name, detail }) => {
    return `"${source_name.slice(0, 100)}" (${detail.slice(0, 100)})`;
  });
  const share = ((100 * quarantined.length) / num_items).toFixed(1);
  throw new SticflowError(
    'TooManyBadImages',
    `${quarantined.length} of ${num_items} ${what} cannot be used (${share} %, images.max_bad_ratio allows ${100 * max_bad_ratio} %): ` +
      `${worst.join(', ')}; for example ${examples.join(', ')}. The whole list is in ${listed_in}. ` +
      'Remove or mend those files, or raise images.max_bad_ratio.',
    { details: { num_quarantined: quarantined.length, num_items, listed_in } },
  );
}
