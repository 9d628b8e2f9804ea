/** Whether it was the generator's own waiting that broke a condition. */
import type { Distribution } from "./distribution.ts";
import type { LoadStats } from "./load_stats.ts";
import type { Statistic } from "./metrics.ts";
import type { LoadThreshold } from "./threshold.ts";
import { seconds } from "./units.ts";

/** Send lag below this share of the response decides nothing: it is in every run. */
const SHARE = 0.1;

/**
 * Why a condition on the response of an open loop is not kept, in words, if it is by the send lag: the lines would have
 * kept it if their time had begun when they were handed over. Else undefined.
 */
export function ownLateness(
  { metric, operator, limit }: LoadThreshold,
  stats: LoadStats,
): string | undefined {
  const { total, context } = stats;
  if (context.loop !== "open" || metric.of !== "duration" || operator.startsWith(">")) return undefined;
  if (metric.name !== "latency" && metric.name !== "response") return undefined;
  if (stats.neverCame("response").never > 0) return undefined; // what no lag explains
  // Of fewer lines than a percentile takes the largest decides.
  const isKnown = typeof metric.statistic !== "number" || total.response.hasPercentile(metric.statistic);
  const statistic = isKnown ? metric.statistic : "max";
  const [lag, response] = [valueOf(total.sendLag, statistic), valueOf(total.response, statistic)];
  // Of an unknown value, NaN, nothing holds.
  if (!(lag >= SHARE * response)) return undefined;
  const most = seconds(mostWithoutLag(total, statistic));
  if (!(operator === "<" ? most < limit : most <= limit)) return undefined;
  const told = typeof statistic === "number" ? `p${statistic}` : statistic;
  return `this machine was late: ${told} ${(lag / 1000).toFixed(3)} ms of send lag`;
}

/**
 * The most that a statistic of the response without its send lag can be, in µs: its parts are known each for itself
 * only. Lines that are above a sum are above one of its parts, so the parts share the lines that a percentile leaves.
 */
function mostWithoutLag(total: LoadStats["total"], statistic: Statistic): number {
  const { service, blocked, connect, handshake, received } = total;
  // Where each line has its own connection, its connect is in the response.
  const parts = [service, blocked, ...[connect, handshake].filter((it) => it.count >= received)];
  const sum = (statisticOf: (part: number) => Statistic) =>
    parts.reduce((sum, it, part) => sum + valueOf(it, statisticOf(part)), 0);
  if (typeof statistic !== "number") return sum(() => statistic);
  const evenly = 100 - (100 - statistic) / parts.length;
  return Math.min(sum(() => evenly), ...parts.map((_, one) => sum((it) => it === one ? statistic : 100)));
}

/** NaN for one that says nothing of a sum's. */
function valueOf(values: Distribution, statistic: Statistic): number {
  if (typeof statistic === "number") return values.percentile(statistic);
  return values.count > 0 && (statistic === "max" || statistic === "avg") ? values[statistic] : NaN;
}
