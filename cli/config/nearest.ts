/** The known name that a mistyped one most likely means. */

/**
 * The candidate a person probably meant: few edits away, containing the name (`epochs` in
 * `num_epochs`), or with these initials (`lr` for `learning_rate`). Null when none is close.
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  const spelled = name.toLowerCase().replaceAll('-', '_');
  const limit = Math.max(1, Math.floor(spelled.length / 3));
  let best: { candidate: string; distance: number } | null = null;
  for (const candidate of candidates) {
    const distance = isShortFor(spelled, candidate)
      ? 1
      : editDistance(spelled, candidate.toLowerCase());
    if (distance <= limit && (best === null || distance < best.distance)) {
      best = { candidate, distance };
    }
  }
  return best?.candidate ?? null;
}

function isShortFor(name: string, candidate: string): boolean {
  const words = candidate.split('_');
  if (name.length >= 3 && words.length > 1 && words.includes(name)) return true;
  return words.length > 1 && words.map((word) => word.charAt(0)).join('') === name;
}

/** Edits between two names: insertions, deletions, substitutions and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  // Cells outside the table are never the cheapest.
  const cell = (row: number, column: number): number =>
    rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= a.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = a[row - 1] === b[column - 1] ? 0 : 1;
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      rows[row]?.push(
        Math.min(
          cell(row - 1, column) + 1,
          cell(row, column - 1) + 1,
          cell(row - 1, column - 1) + replaced,
          isSwap ? cell(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return cell(a.length, b.length);
}
