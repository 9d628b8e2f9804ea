/** What a load says of chance, held against simulations whose truth is known. */
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../probe/random.ts";
import { StagesSchedule } from "../probe/schedule.ts";
import { batchInterval } from "../stats/batches.ts";
import { Distribution } from "../stats/distribution.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { mannKendall, senSlope, type Trend, trendOf } from "../stats/trend.ts";
import { test, volume } from "./harness.ts";

/** Responses of one server that takes 10 ms for a line, to Poisson arrivals of 90 a second: Lindley's recursion. */
function queue(seed: number, lines: number, use: (response: number, planned: number) => void): void {
  const schedule = StagesSchedule.constant(90, Infinity, { arrivals: "poisson", seed });
  let free = 0;
  for (let i = 0; i < lines; i++) {
    const planned = schedule.next()!;
    free = Math.max(free, planned) + 10;
    use(free - planned, planned);
  }
}

/** What 95% of Student's t distribution with 99 degrees of freedom lies within. */
const T_OF_100 = 1.9842;

test(
  "a queue at 90% has the mean of its theory, and intervals of 100 batches cover it",
  { level: "long" },
  () => {
    // M/D/1: 10 ms and a wait of 10 ms × 0.9 / (2 × 0.1).
    const [seeds, lines, truth] = [volume(3, 100), 1_000_000, 55];
    let covered = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const sums = new Float64Array(100);
      let line = 0;
      queue(seed, lines, (response) => sums[Math.floor(line++ * 100 / lines)]! += response);
      const means = Array.from(sums, (it) => it * 100 / lines);
      const mean = means.reduce((sum, it) => sum + it, 0) / 100;
      assert(Math.abs(mean - truth) <= 2, `seed ${seed}: ${mean}`);
      const [lower, upper] = batchInterval(means, T_OF_100);
      if (lower <= truth && truth <= upper) covered++;
    }
    assert(covered >= 0.9 * seeds, `${covered} of ${seeds}`);
  },
);

test(
  "the interval of a percentile covers that of the queue in the long run, where one of all lines would not",
  { level: "long" },
  () => {
    const [seeds, lines] = [volume(30, 400), 90 * 600];
    const long = new Distribution();
    queue(12_345, 2_000_000, (response) => long.record(1000 * response));
    let [covered, naive] = [0, 0];
    for (let seed = 1; seed <= seeds; seed++) {
      const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false });
      let interval = new LoadInterval();
      const responses: number[] = [];
      queue(seed, lines, (response, planned) => {
        // A second in ten, to save time: what counts is that batches are long against the queue's memory.
        while (planned >= interval.from + 10_000) {
          interval.to = interval.from + 10_000;
          stats.add(interval);
          const next = new LoadInterval();
          next.from = interval.to;
          interval = next;
        }
        interval.planned++;
        interval.sent++;
        interval.received++;
        interval.response.record(1000 * response);
        responses.push(response);
      });
      const truth = long.percentile(90) / 1e6;
      const [lower, upper] = stats.summary().response!.intervals.p90!;
      if (lower <= truth && truth <= upper) covered++;
      const sorted = Float64Array.from(responses).sort();
      const [rank, half] = [0.9 * lines, 1.96 * Math.sqrt(lines * 0.9 * 0.1)];
      if (
        sorted[Math.floor(rank - half)]! <= 1000 * truth && 1000 * truth <= sorted[Math.ceil(rank + half)]!
      ) {
        naive++;
      }
    }
    assert(covered >= 0.88 * seeds, `${covered} of ${seeds}`);
    assert(naive <= 0.35 * seeds, `order statistics of all lines cover it in ${naive} of ${seeds}`);
  },
);

/** Normal values by Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Exponential durations of a mean of 1, as many as a second has lines. */
const LINES = Float64Array.from({ length: 100 }, (_, i) => -Math.log(1 - (i + 0.5) / 100));

/**
 * The p99 of the ten parts of a run of 60 s. The durations of a second are `level` times as long as usual; levels depend
 * on those before (φ = 0.5), and rise by a share over the run.
 */
function partsOf(seed: number, spread: number, rise: number): number[] {
  const random = seededRandom(seed);
  let deviation = normal(random);
  return Array.from({ length: 10 }, (_, part) => {
    const values = new Float64Array(6 * LINES.length);
    for (let second = 0; second < 6; second++) {
      // Innovations of such a size that levels differ by `spread` all through.
      deviation = 0.5 * deviation + Math.sqrt(1 - 0.25) * normal(random);
      const level = Math.exp(spread * deviation) * (1 + rise * (6 * part + second) / 60);
      LINES.forEach((it, i) => values[second * LINES.length + i] = level * it);
    }
    return values.sort()[Math.ceil(0.99 * values.length) - 1]!;
  });
}

for (const spread of [0.02, 0.07, 0.3, 1]) {
  test(
    `a steady run whose seconds differ by ${spread} is said to rise or fall in at most 2 of 100, a trend is found`,
    { level: "long" },
    () => {
      const seeds = volume(300, 1000);
      const told = (runs: number, rise: number, ...trends: Trend[]) =>
        Array.from({ length: runs }, (_, seed) => trendOf(partsOf(seed, spread, rise)))
          .filter((it) => it !== null && trends.includes(it)).length;
      const wrong = told(seeds, 0, "rises", "falls");
      assert(wrong <= 0.02 * seeds, `${wrong} of ${seeds} are said to rise or fall`);
      if (spread > 0.1) return; // a rise of half is as much as they differ anyway
      for (const [rise, trend] of [[0.5, "rises"], [-1 / 3, "falls"]] as const) {
        const found = told(seeds / 2, rise, trend);
        assert(found >= 0.9 * seeds / 2, `that p99 ${trend} is found in ${found} of ${seeds / 2}`);
      }
    },
  );
}

test("a figure rises or falls only if both the order of its parts and the size of the change say so", () => {
  const rising = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
  assertEquals(trendOf(rising), "rises");
  assertEquals(trendOf(rising.toReversed()), "falls");
  assertEquals(trendOf([369, 330, 290, 250, 210, 170, 130, 90, 50, 11]), "falls");
  assertEquals(trendOf(rising.map((it) => it + 50)), null); // by 18% of the median
  assertEquals(trendOf([19, 10, 18, 11, 17, 12, 16, 13, 15, 14]), null); // as chance orders them
  assertEquals(trendOf(rising.map(() => 0)), null);
});

test("Mann's test and Sen's slope are those of the books", () => {
  const near = (one: number, other: number) => assert(Math.abs(one - other) < 1e-6, `${one} is not ${other}`);
  near(mannKendall([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 2 / 3_628_800);
  near(mannKendall([3, 1, 2]), 1);
  near(mannKendall([1, 2, 3, 4]), 2 / 24);
  near(mannKendall([1, 3, 2, 4]), 2 * (1 + 3) / 24);
  near(mannKendall([4, 2, 3, 1]), 2 * (1 + 3) / 24);
  near(mannKendall([5, 5, 5, 5]), 1);
  near(senSlope([1, 3, 5, 7]), 2);
  near(senSlope([1, 2, 30, 4, 5]), 1);
});
