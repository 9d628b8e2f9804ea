/** The nearest of the names that could have been meant by one that does not exist, or undefined if none is near. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  const begun = typed.length < 3 ? [] : names.filter((name) => name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  const distances = names.map((name) => ({ name, distance: typingErrors(typed, name) }));
  const { name, distance } = distances.reduce((best, it) => it.distance < best.distance ? it : best);
  return distance <= Math.min(2, Math.floor(typed.length / 2)) ? name : undefined;
}

/**
 * How many letters were left out, put in, exchanged or swapped with their neighbour (Damerau's distance, each letter
 * touched once). The one of @std/text counts a swap, the commonest of them, as two.
 */
function typingErrors(typed: string, meant: string): number {
  let before: number[] = [];
  let row = Array.from({ length: meant.length + 1 }, (_, i) => i);
  for (let i = 1; i <= typed.length; i++) {
    const next = [i];
    for (let j = 1; j <= meant.length; j++) {
      const exchanged = row[j - 1]! + (typed[i - 1] === meant[j - 1] ? 0 : 1);
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, exchanged);
      const swapped = typed[i - 1] === meant[j - 2] && typed[i - 2] === meant[j - 1];
      if (i > 1 && j > 1 && swapped) next[j] = Math.min(next[j]!, before[j - 2]! + 1);
    }
    [before, row] = [row, next];
  }
  return row[meant.length]!;
}
