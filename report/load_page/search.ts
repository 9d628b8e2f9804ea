/** A search for the highest rate as a knee chart. */
import { kindOf, LOAD_METRICS } from "../../stats/metrics.ts";
import { isOfGenerator, type LoadFound, type LoadTrial } from "../../stats/load_trial.ts";
import { parseThresholdOf } from "../../stats/threshold.ts";
import { foundLine } from "../load_text.ts";
import type { Layer, Plot, Quantity } from "../page/model.ts";
import { metricText } from "./tables.ts";

/** Colours of trials that passed, the limit, the rate found, and trials that tell nothing: none is a server's. */
const [KEPT, LIMIT, FOUND, LIMITED] = [0, -2, 5, 7];
const BROKEN = -1;
/** What the rate of a search is. */
const RATES: Record<LoadFound["outcome"], string> = {
  found: "rate found",
  "at least": "at least this rate",
  none: "rate found",
  unconfirmed: "highest rate that passed, unconfirmed",
  interrupted: "highest rate that had passed",
};
/** How far beyond the least and the highest rate the chart goes, as a factor. */
const MARGIN = 1.2;

const QUANTITIES: Record<ReturnType<typeof kindOf>, [quantity: Quantity, scale: number]> = {
  time: ["duration", 1000],
  share: ["share", 1],
  count: ["count", 1],
  drift: ["count", 1],
};

/** What each trial's rate came to. @param condition of the search. */
export function kneeChart(found: LoadFound, condition: string): Plot[] {
  const { metric, limit } = parseThresholdOf(LOAD_METRICS, condition);
  const [quantity, scale] = QUANTITIES[kindOf(metric)];
  const told = found.trials.filter(({ value, reason_codes }) =>
    value !== null && !reason_codes.includes("interrupted")
  );
  if (told.length === 0) return [];
  const failed = told.filter(({ passed }) => !passed);
  const rates = told.map(({ rate }) => rate);
  const untold = found.trials.length - told.length;
  const points = (name: string, colour: number, trials: LoadTrial[]): Layer[] =>
    trials.length === 0 ? [] : [{
      kind: "points",
      name,
      colour,
      x: trials.map(({ rate }) => rate),
      y: trials.map(({ value }) => value! * scale),
    }];
  return [{
    title: `${metricText(condition)} at each rate tried, to keep ${condition}`,
    description: `${foundLine(found, condition)}. The table of trials has the same figures` +
      (untold === 0 ? "." : `, and those of ${untold} that have no value or were interrupted.`),
    x: {
      label: "lines a second planned",
      quantity: "rate",
      scale: "log",
      min: Math.min(...rates) / MARGIN,
      max: Math.max(...rates) * MARGIN,
    },
    y: {
      label: metricText(condition),
      quantity,
      ...quantity === "duration" && { scale: "log" },
    },
    layers: [
      {
        kind: "line",
        name: "limit",
        colour: LIMIT!,
        x: [Math.min(...rates) / MARGIN, Math.max(...rates) * MARGIN],
        y: [limit * scale, limit * scale],
      },
      ...(found.rate === null ? [] : [
        {
          kind: "spans",
          name: RATES[found.outcome],
          colour: FOUND!,
          spans: [[found.rate, found.rate]],
        } as Layer,
      ]),
      ...points("passed", KEPT!, told.filter(({ passed }) => passed)),
      ...points("failed", BROKEN, failed.filter((it) => !isOfGenerator(it))),
      ...points(
        "generator limited or late: tells nothing of the server",
        LIMITED!,
        failed.filter(isOfGenerator),
      ),
    ],
  }];
}
