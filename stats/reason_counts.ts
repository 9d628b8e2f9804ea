/** Counts by reason: of lines that failed, of connections that were not made. */

/** The most reasons that are told apart: a server that sends ever new ones must not fill the memory. */
export const MAX_REASONS = 32;
/** Stands for the reasons beyond these. */
const OTHER_REASONS = "for further reasons";

/** Adds counts by reason to others. */
export function addCounts(to: Map<string, number>, from: Iterable<readonly [string, number]>): void {
  for (const [reason, count] of from) addCount(to, reason, count);
}

/** Adds to a count by reason; to that of all further ones where too many are told apart. */
export function addCount(counts: Map<string, number>, reason: string, more: number): void {
  const name = counts.has(reason) || counts.size < MAX_REASONS ? reason : OTHER_REASONS;
  counts.set(name, (counts.get(name) ?? 0) + more);
}

/** The sum of counts by reason. */
export function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, it) => sum + it, 0);
}
