/** A duration for people: `1.204s`, `750ms`. */
export function formatMillis(millis: number): string {
  return millis < 1000 ? `${Math.round(millis)}ms` : `${Number((millis / 1000).toFixed(3))}s`;
}
