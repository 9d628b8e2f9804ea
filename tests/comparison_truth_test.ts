/** How often a comparison calls two runs of the same thing different, and how often it finds a difference that is there. */
import { assert } from "@std/assert";
import { COMPARED_PERCENTILES, type ComparedMetric } from "../stats/compared_metrics.ts";
import { compareRuns, type Comparison, type Figures } from "../stats/comparison.ts";
import { Distribution } from "../stats/distribution.ts";
import { figureOf, lossOf, RunParts } from "../stats/run_parts.ts";
import { seededRandom } from "../probe/random.ts";
import { cases, test, volume } from "./harness.ts";
import type { Random } from "./paths.ts";

const SEEDS = volume(cases(30), 1000);
/** What nearly all seeds show, fewer show as well. */
const FEWER = Math.min(SEEDS, 300);
const SECONDS = 60;
const LINES = 400;
/** The spread of the level from second to second. */
const NOISE = 0.1;
const UNKNOWN = { help: "" };

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Samples of a log-normal distribution, of which lines are drawn: each anew would take longer than all the rest. */
const SHAPE = (() => {
  const random = seededRandom(1);
  return Float64Array.from({ length: 4096 }, () => Math.exp(0.5 * normal(random)));
})();

/** A closed loop whose latencies have a level that wanders: noise of AR(1). @param factor of all latencies. */
function runOf(random: Random, phi: number, factor: number): Figures {
  const parts = new RunParts(SECONDS);
  const all = new Distribution();
  const total = { received: 0, failed: 0, corrupt: 0 };
  let level = normal(random) * NOISE;
  for (let second = 0; second < SECONDS; second++) {
    const values = new Distribution();
    const micros = 200 * factor * Math.exp(level);
    const lines = Math.round(LINES / Math.exp(level));
    let failed = 0;
    for (let line = 0; line < lines; line++) {
      if (random() < 0.01) failed++;
      else values.record(micros * SHAPE[Math.floor(random() * SHAPE.length)]!);
    }
    parts.add(second + 0.5, { received: values.count, failed, time: 1 }, values);
    all.add(values);
    total.received += values.count;
    total.failed += failed;
    level = phi * level + Math.sqrt(1 - phi ** 2) * NOISE * normal(random);
  }
  const percentiles = Object.entries(COMPARED_PERCENTILES).map(([metric, percent]) => [
    metric,
    figureOf(metric as ComparedMetric, all.percentile(percent) / 1e6, parts, UNKNOWN),
  ]);
  return {
    ...Object.fromEntries(percentiles),
    rate: figureOf("rate", total.received / SECONDS, parts, UNKNOWN),
    loss: figureOf("loss", lossOf(total), parts, UNKNOWN),
  };
}

/** How many of the seeds' comparisons are so. */
function count(
  phi: number,
  factor: number,
  holds: (comparison: Comparison) => boolean,
  seeds = SEEDS,
): number {
  let found = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const random = seededRandom(1000 * phi + 1e6 * factor + 10_000 * seed);
    if (holds(compareRuns([runOf(random, phi, 1)], [runOf(random, phi, factor)]))) found++;
  }
  return found;
}

const differs = ({ verdict }: { verdict: unknown }) => verdict === "better" || verdict === "worse";

/** Prints what came of it where it means something. */
function told(what: string, found: number, seeds = SEEDS): void {
  if (SEEDS >= 1000) console.log(`${what}: ${found} of ${seeds}`);
}

/** What 5% may come to by chance: 73 of 1,000, four standard deviations of few. */
const MOST_FALSE = SEEDS >= 1000 ? 73 : 0.05 * SEEDS + 4 * Math.sqrt(0.05 * 0.95 * SEEDS);

for (const phi of [0, 0.5]) {
  test(
    `of ${SEEDS} pairs of equal runs few are called different, with noise of φ = ${phi}`,
    { level: "long" },
    () => {
      let p99 = 0;
      const any = count(phi, 1, ({ metrics }) => {
        if (metrics.p99.p! <= 0.05) p99++;
        return Object.values(metrics).some(differs);
      });
      told(`p99 different by chance at φ = ${phi}`, p99);
      told(`any metric different by chance at φ = ${phi}`, any);
      assert(p99 <= MOST_FALSE, `p99 in ${p99} of ${SEEDS}`);
      assert(any <= MOST_FALSE, `any metric in ${any} of ${SEEDS}`);
    },
  );

  test(`of ${FEWER} pairs of runs 20% apart nine of ten are told apart by p99, with noise of φ = ${phi}`, {
    level: "long",
  }, () => {
    const found = count(phi, 1.2, ({ metrics: { p99 } }) => p99.p! <= 0.05 && p99.interval![0] > 1, FEWER);
    told(`20% found at φ = ${phi}`, found, FEWER);
    assert(found >= 0.9 * FEWER, `${found} of ${FEWER}`);
  });
}

test(
  "noise that lasts longer is taken for a difference in about one of eleven pairs",
  { level: "long" },
  () => {
    const seeds = 500;
    const found = count(0.8, 1, ({ metrics: { p99 } }) => p99.p! <= 0.05, seeds);
    told("p99 different by chance at φ = 0.8", found, seeds);
    assert(found > 0.05 * seeds && found < 0.13 * seeds, `${found} of ${seeds}`);
  },
);

/** Runs of which only the figures of the whole are known. */
function wholes(values: readonly number[]): Figures[] {
  const figure = (value: number) => ({ value, parts: null, help: null });
  return values.map((value) => ({
    ...{ p50: figure(value), p90: figure(value), p99: figure(value), p99_9: figure(value) },
    ...{ rate: figure(1000), loss: figure(0) },
  }));
}

test("eight runs a side that spread by 10% tell 20% in nine of ten cases", { level: "long" }, () => {
  const random = seededRandom(7);
  const pairs = volume(cases(400), 2000);
  const found = Array.from({ length: pairs }, () => {
    const side = (factor: number) =>
      wholes(Array.from({ length: 8 }, () => factor * Math.exp(0.1 * normal(random))));
    return compareRuns(side(1), side(1.2)).metrics.p99.p! <= 0.05;
  }).filter((it) => it).length;
  if (pairs >= 2000) console.log(`20% found by eight runs a side: ${found} of ${pairs}`);
  assert(Math.abs(found / pairs - 0.9) < 0.1, `${found} of ${pairs}`);
});
