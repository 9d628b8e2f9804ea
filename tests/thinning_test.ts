/** Delays of a closed loop, of which some lines are picked: the figures are those of all lines. */
import { assert, assertEquals } from "@std/assert";
import { Recorder } from "../load/recorder.ts";
import { Thinning } from "../load/thinning.ts";
import { seededRandom } from "../probe/random.ts";
import { LoadDirections } from "../stats/load_directions.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { parseThresholdOf } from "../stats/threshold.ts";
import { type Options, test } from "./harness.ts";

const ORIGIN = 1.7e15;
const SLOW_MS = 400;
const HEAVY: Options = { level: "heavy" };
const SLOW: Options = { level: "slow" };

/**
 * A closed loop of 10 s whose 50 connections are answered together, `perSecond` lines a second. Now and then the server
 * stands still instead: then 50 lines are slow on their way to it. @param stalls how often, for 400 ms each.
 */
function runWith(perSecond: number, stalls: number, depth = 1) {
  const [connections, quickMs] = [50, 50_000 * depth / perSecond];
  const random = seededRandom(7);
  let interval = new LoadInterval();
  const stats = new LoadStats({
    ...{ loop: "closed", timeout: 5000, stages: false },
    directions: () => directions.servers(),
  });
  const directions = new LoadDirections(ORIGIN, interval);
  let samples = 0;
  const recorder = new Recorder(
    {
      onInterval: (ended, next) => {
        directions.endInterval(next);
        stats.add(ended);
        interval = next;
      },
      onExchange: ({ tag, written, stamp, read, lines }) => {
        samples++;
        directions.add(tag, written, stamp, read, lines);
      },
      onServer() {},
      onBegin() {},
    },
    false,
    interval,
  );
  const duration = 10_000 + stalls * SLOW_MS;
  recorder.begin(0, duration);
  const every = Math.floor(10_000 / quickMs / (stalls + 1));
  let [written, slow, all] = [0.01, 0, 0];
  for (let round = 1; written < duration; round++) {
    const isSlow = round % every === 0 && slow < stalls * connections * depth;
    const answered = written + (isSlow ? SLOW_MS : quickMs - 0.3 * random());
    recorder.turn(answered);
    for (let i = 0; i < connections; i++) {
      const read = answered + i / 1000;
      recorder.receive(written, written, written, written, read, depth, null);
      const weight = recorder.weightOf(written, depth, read);
      const stamp = Math.floor(ORIGIN + 1000 * (answered - 0.1 * random()));
      if (weight > 0) recorder.sample(null, written, stamp, read, weight);
    }
    all += connections * depth;
    if (isSlow) slow += connections * depth;
    written = answered + 0.06;
  }
  recorder.finish(duration + 1);
  const [server] = stats.directions();
  return { stats, server: server!, samples, slow: slow / all };
}

const SHOWN = SLOW_MS * 1000 / 2;

for (const [perSecond, depth, level] of [[11_000, 1, HEAVY], [400_000, 32, SLOW]] as const) {
  test(
    `of ${perSecond} lines/s, a stall that is not in the p99.9 of service is not in that of a direction`,
    level,
    () => {
      const { stats, server, slow } = runWith(perSecond, 1, depth);
      assert(slow < 0.0009, `${slow}`);
      const { service } = stats.total;
      assert(service.percentile(99.9) < SHOWN);
      const of = [server.up!, stats.total.servers.get(null)!.up];
      for (const up of of) assert(up.percentile(99.9) < SHOWN, `p99.9 ${up.percentile(99.9)} µs`);
      for (const up of of) assert(up.max > SHOWN, "the picked lines have none of the slow ones");
    },
  );

  test(
    `of ${perSecond} lines/s, slow lines are in p99 if they are more than 1%, and not if they are less`,
    level,
    () => {
      // As many lines are slow as there are stalls, 50 each: the shares differ with the rate.
      const stallsOf = (share: number) => Math.round(share * perSecond * 10 / (50 * depth) / (1 - share));
      for (const [share, isShown] of [[0.0075, false], [0.0125, true]] as const) {
        const { stats, server, slow } = runWith(perSecond, stallsOf(share), depth);
        assert(Math.abs(slow - share) < 0.001, `${slow}`);
        const { service } = stats.total;
        assertEquals(service.percentile(99) > SHOWN, isShown);
        for (const up of [server.up!, stats.total.servers.get(null)!.up]) {
          assertEquals(up.percentile(99) > SHOWN, isShown, `p99 ${up.percentile(99)} µs with ${slow} slow`);
          const told = up.countAbove(SHOWN) / up.count;
          assert(Math.abs(told - slow) < 0.0015, `${told} are slow, of ${slow}`);
        }
      }
    },
  );
}

test("the lines that are picked stand for all lines, and are no more however many these are", HEAVY, () => {
  for (const [perSecond, depth] of [[3000, 1], [40_000, 1], [2_000_000, 256]] as const) {
    const { stats, server, samples } = runWith(perSecond, 0, depth);
    const { received } = stats.total;
    const stretch = Math.ceil(perSecond / 4000);
    assert(Math.abs(server.up!.count - received) <= stretch, `${server.up!.count} for ${received}`);
    assertEquals(server.up!.count, server.down!.count);
    assert(samples <= 10 * 5000 * 1.5 + 10_000, `${samples} of ${received}`);
  }
});

test("of a sample the maximum is at least what was found, and of all lines exactly that", HEAVY, () => {
  const judged = (stats: LoadStats, text: string) => {
    const { verdict, lower, upper, help } = judgeLoad(parseThresholdOf(LOAD_METRICS, text), stats);
    assert(lower! > 0.3 && lower! < 0.402, `${lower}`); // either way a slow line is taken
    return [verdict, upper === lower ? "exact" : upper, help, stats.summary().servers[0]!.sampled];
  };
  const sampled = "it is of a sample of the lines, and an open loop takes all of them";
  const [some, all] = [runWith(11_000, 1).stats, runWith(4000, 1).stats];
  for (
    const [text, ofSome, ofAll] of [
      ["up.max>100ms", "broken", "broken"],
      ["up.max>1s", "cannot tell", "kept"],
      ["up.max<=1s", "cannot tell", "broken"],
      ["up.max<=100ms", "kept", "kept"],
    ] as const
  ) {
    assertEquals(judged(some, text), [ofSome, null, ofSome === "cannot tell" ? sampled : null, true], text);
    assertEquals(judged(all, text), [ofAll, "exact", null, false], text);
  }
});

test("each line of a stretch is as likely to be picked as any other, and lines that come together stand for all", () => {
  const thinning = new Thinning();
  const counts = new Map<number, number>();
  // After 5,000 lines at 50,000/s a stretch has ten lines, and the same of ten always comes first.
  for (let i = 0; i < 1_000_000; i++) {
    const weight = thinning.take(1, i / 50);
    if (i >= 100_000 && weight > 0) counts.set(i % 10, (counts.get(i % 10) ?? 0) + weight);
  }
  assertEquals(counts.size, 10);
  for (const [place, lines] of counts) assert(Math.abs(lines - 90_000) < 5000, `${place}: ${lines}`);
  let weight = 0;
  for (let i = 0; i < 1000; i++) weight += thinning.take(1000, 20_000 + i * 20);
  assert(Math.abs(weight - 1_000_000) <= 20, `${weight}`);
});
