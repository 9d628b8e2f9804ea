/** The round trips of a run by percentile, and how many there were of each. */
import { counted } from "../../failure.ts";
import type { Distribution } from "../../stats/distribution.ts";
import { LogScale } from "../histogram.ts";
import type { Layer, Plot } from "../page/model.ts";
import { chartMillis, figures, ofEach, scaleFor, type ShownServer } from "./shown.ts";

/** From how many values on there is something to see. */
const MIN_VALUES = 10;
const MAX_BARS = 60;
/** Steps of a decade of 1 / (1 - quantile). */
const QUANTILE_STEPS = 20;

/** The charts of all round trips, and of each server's. */
export function distributionPlots(all: Distribution, servers: ShownServer[]): Plot[] {
  return all.count < MIN_VALUES || servers.length === 0
    ? []
    : [byPercentile(all, servers), histogram(all, servers)];
}

function byPercentile(all: Distribution, servers: ShownServer[]): Plot {
  const x = quantilesOf(Math.max(...servers.map(({ rtt }) => rtt.count)));
  return {
    title: "Round trip by percentile",
    note:
      "The time within which that share of the received lines was answered. Each further nine has the same width.",
    description: `By percentile: ${ofEach(servers, ({ rtt }) => figures(rtt))}.`,
    x: { label: "share of received lines that took no longer", quantity: "quantile" },
    y: { label: "round trip", quantity: "duration", ...scaleFor(all.min, all.max) },
    layers: servers.map(({ name = "round trip", colour, rtt }): Layer => {
      const known = x.filter((it) => it === 0 || rtt.count * (1 - it) >= 1 - 1e-6);
      const y = known.map((it) => chartMillis(rtt.percentile(100 * it)));
      return { kind: "line", name, colour, x: known, y };
    }),
  };
}

function histogram(all: Distribution, servers: ShownServer[]): Plot {
  const scale = new LogScale(all, barsFor(all.count));
  const edges = scale.edges().map(chartMillis);
  return {
    title: "Histogram of round trips",
    description: `${counted(all.count, "round trip")}: ${ofEach(servers, ({ rtt }) => figures(rtt))}.`,
    x: { label: "round trip", quantity: "duration", scale: "log" },
    y: { label: "lines", quantity: "count", min: 0 },
    layers: servers.map(({ name = "round trips", colour, rtt }): Layer => {
      const counts = new Array<number>(scale.bins).fill(0);
      for (const [micros, count] of rtt.values()) counts[scale.binOf(micros)]! += count;
      return servers.length === 1
        ? { kind: "bars", name, colour, edges, values: counts }
        : { kind: "line", name, colour, steps: true, x: edges, y: [...counts, 0] };
    }),
  };
}

/** As many bars as so many values support: Rice's rule. */
function barsFor(count: number): number {
  return Math.min(MAX_BARS, Math.ceil(2 * Math.cbrt(count)));
}

/** Quantiles at even steps on the axis, as far as so many values tell them. */
function quantilesOf(count: number): number[] {
  const steps = Math.floor(Math.log10(Math.max(1, count)) * QUANTILE_STEPS + 1e-9);
  return Array.from(
    { length: steps + 1 },
    (_, step) => Number((1 - 10 ** (-step / QUANTILE_STEPS)).toFixed(9)),
  );
}
