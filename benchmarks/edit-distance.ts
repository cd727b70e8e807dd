/** Levenshtein distance, by code points as Python counts characters. */

/** Insertions, deletions and replacements, each at a cost of 1. */
export function editDistance(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  a.forEach((character, row) => {
    const current = [row + 1];
    b.forEach((other, column) => {
      const replaced = (previous[column] ?? 0) + (character === other ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    });
    previous = current;
  });
  return previous[b.length] ?? 0;
}
