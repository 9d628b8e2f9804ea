/** A duration as options take it, which logs and replies of the protocol have too: `1.204s`, `750ms`. */
export function formatMillis(millis: number): string {
  return millis < 1000 ? `${Math.round(millis)}ms` : `${Number((millis / 1000).toFixed(3))}s`;
}

/** A duration for people, as all figures with a blank before the unit: `1.204 s`, `750 ms`. */
export function durationText(millis: number): string {
  return formatMillis(millis).replace(/(?=m?s$)/, " ");
}
