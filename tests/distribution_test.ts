/** Figures of all replies: of durations, of delays above a line that is known at the end, and of losses. */
import { assert, assertEquals } from "@std/assert";
import { summaryLines } from "../report/summary.ts";
import { histogramLines } from "../report/histogram.ts";
import { Delays, Segment } from "../stats/segment.ts";
import { Distribution } from "../stats/distribution.ts";
import type { ClockSample } from "../stats/feasible_lines.ts";
import { Hull } from "../stats/hull.ts";
import { RunStats } from "../stats/run_stats.ts";
import { test, volume } from "./harness.ts";
import { exponential, type Jitter, JITTERS, seeded } from "./paths.ts";

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

/** More than are kept one by one. */
const REPLIES = volume(45_000, 600_000);

/** Replies of which one in a thousand is out of order, between clocks that are `drift` ppm apart. */
function* samples(jitter: Jitter, mean: number, drift: number): Generator<ClockSample> {
  const random = seeded(Math.round(mean) + drift);
  const moments = Array.from({ length: REPLIES }, (_, i) => i * 0.0005);
  const [ups, downs] = [0, 1].map(() => jitter(random, moments, mean)) as [number[], number[]];
  for (let i = 0; i < REPLIES; i++) {
    const place = i % 1000 === 500 ? i + 1 : i % 1000 === 501 ? i - 1 : i;
    const sentAt = moments[place]!;
    const [up, down] = [100 + ups[place]!, 150 + downs[place]!];
    const offset = 5000 + drift * sentAt;
    const read = () => random() * 3;
    yield {
      seq: place + 1,
      sentAt,
      receivedAt: sentAt + (up + down) / 1e6,
      up: Math.floor(up + offset - read()),
      down: Math.floor(down - offset + read()),
      resolution: 1,
      busy: place % 5000 === 77,
    };
  }
}

for (
  const [name, mean, drift, level] of [
    ["independent", 20, 30, "sized"],
    ["independent", 3000, -450, "long"],
    ["bursty", 500, 0, "long"],
    ["fifo", 1000, 3, "long"],
  ] as const
) {
  test(`delays of ${REPLIES} replies (${name}, ${mean} µs, ${drift} ppm) are those of all of them at once`, {
    level,
  }, () => {
    let segment: Segment | undefined;
    const all: ClockSample[] = [];
    for (const sample of samples(JITTERS[name]!, mean, drift)) {
      all.push(sample);
      if (segment === undefined) segment = new Segment(sample, 500);
      else assert(segment.add(sample));
    }
    const told = new Delays();
    segment!.record(segment!.lines, told);
    const slope = segment!.drift(segment!.lines);
    const from = segment!.from;
    const ways = {
      up: all.map(({ up, sentAt }) => up - slope * (sentAt - from)),
      down: all.map(({ down, receivedAt }) => down + slope * (receivedAt - from)),
    };
    for (const direction of ["up", "down"] as const) {
      const least = ways[direction].reduce((least, it) => Math.min(least, it), Infinity);
      const sorted = Float64Array.from(ways[direction], (it) => it - least).sort();
      const values = told.all[direction];
      assertEquals([values.count, values.min], [REPLIES, 0]);
      assertNear(values.max, sorted.at(-1)!, 1e-5);
      assertNear(values.avg, sorted.reduce((sum, it) => sum + it, 0) / REPLIES, 1e-3);
      for (const percent of [1, 10, 50, 90, 99, 99.9, 99.99]) {
        const truth = sorted[Math.ceil(REPLIES * percent / 100) - 1]!;
        const off = Math.abs(values.percentile(percent) - truth);
        assert(off <= Math.max(1, truth / 1000), `${direction} p${percent}: ${truth} told ${off} off`);
      }
    }
    assertEquals([told.busy, told.calm.up.count], [REPLIES / 5000, REPLIES - REPLIES / 5000]);
  });
}

test("one late line among many is the maximum, however many there are, and each time the same", {
  level: "heavy",
}, () => {
  const figures = [0, 1].map(() => {
    const stats = new RunStats(false);
    for (let seq = 1; seq <= 40_000; seq++) {
      const up = seq === 20_000 ? 302_000 : 200 + seq % 7;
      const [at, sent] = [seq * 0.001 + (up + 300) / 1e6, 1e15 + seq * 1000];
      stats.add({
        fate: "received",
        seq,
        at,
        rtt: up + 300,
        sent,
        stamp: sent + up,
        received: sent + up + 300,
        format: "iso",
      });
    }
    return stats.summary().servers[0]!;
  });
  const [server, again] = figures;
  assertEquals([server!.up!.count, server!.up!.max, server!.down!.max], [40_000, 0.3018, 0]);
  assertEquals(server, again);
});

test("a hull knows the extremes above any line, whatever the order of the points", () => {
  const random = seeded(4);
  const points = Array.from(
    { length: 3000 },
    (_, i) => [i < 2000 ? i : random() * 2000, exponential(random, 50)] as const,
  );
  const hulls = { least: new Hull(1), most: new Hull(-1) };
  for (const [time, value] of points) for (const hull of Object.values(hulls)) hull.add(time, value);
  for (const slope of [0, 0.001, -0.02, 3, -500]) {
    const values = points.map(([time, value]) => value - slope * time);
    assertNear(hulls.least.extreme(slope), Math.min(...values), 1e-9);
    assertNear(hulls.most.extreme(slope), Math.max(...values), 1e-9);
  }
});

/** HDR's iterator, which its types leave out. */
interface RecordedValues {
  reset(): void;
  hasNext(): boolean;
  next(): { valueIteratedTo: number; countAtValueIteratedTo: number };
}

test("a distribution's histogram goes through HDR's own format, and is merged with another", async () => {
  const values = new Distribution();
  for (let i = 1; i <= 10_000; i++) values.record(i * 1.7);
  // The package's whole build has the encoder, which ping does not load.
  // deno-lint-ignore no-import-prefix
  const hdr = await import("npm:hdr-histogram-js@3.0.1");
  const text = hdr.encodeIntoCompressedBase64(values.histogram as unknown as ReturnType<typeof hdr.build>);
  const decoded = hdr.decodeFromCompressedBase64(text);
  assertEquals(decoded.totalCount, 10_000);
  const other = new Distribution();
  const moments = { count: 10_000, min: values.min, max: values.max, avg: values.avg, squares: 0 };
  other.addBinned(moments, (record) => {
    const iterator =
      (decoded as unknown as { recordedValuesIterator: RecordedValues }).recordedValuesIterator;
    iterator.reset();
    while (iterator.hasNext()) {
      const entry = iterator.next();
      record(entry.valueIteratedTo / 10, entry.countAtValueIteratedTo);
    }
  });
  for (const percent of [1, 50, 99, 99.9]) {
    assertEquals(other.percentile(percent), values.percentile(percent));
  }
  other.add(values);
  assertEquals([other.count, other.percentile(50)], [20_000, values.percentile(50)]);
});

test("a distribution puts each value where the HDR library does", () => {
  const random = seeded(1);
  const [ours, theirs] = [new Distribution(), new Distribution()];
  const powers = Array.from({ length: 36 }, (_, i) => 2 ** i);
  const units = [
    0,
    ...powers,
    ...powers.map((it) => it - 1),
    ...Array.from({ length: 5000 }, () => 2 ** (35 * random())),
  ];
  for (const [i, it] of units.map(Math.floor).entries()) {
    ours.record(it / 10, 1 + i % 3);
    theirs.histogram.recordValueWithCount(it, 1 + i % 3);
  }
  const bins = (values: Distribution) => {
    const { histogram } = values;
    const { countsArrayLength: length, maxValue, minNonZeroValue, totalCount } = histogram;
    const counts = Array.from({ length }, (_, i) => histogram.getCountAtIndex(i));
    return { length, maxValue, minNonZeroValue, totalCount, counts };
  };
  assertEquals(bins(ours), bins(theirs));
});

test("a histogram has a title, no more rows than its values support, and bars that fit the terminal", () => {
  const filled = (count: number) => {
    const values = new Distribution();
    for (let i = 1; i <= count; i++) values.record(100 * 1.5 ** (i % 20));
    return values;
  };
  const rows = (count: number, columns?: number) => histogramLines(filled(count), "round trips:", columns);
  assertEquals([4, 5, 8, 9, 1000].map((it) => rows(it).length), [0, 5, 5, 6, 11]);
  assertEquals(rows(1000)[0], "round trips:");
  assertEquals(rows(1000).slice(1).reduce((sum, row) => sum + Number(/ms +(\d+)/.exec(row)![1]), 0), 1000);
  for (const columns of [0, 20, 40, 60, 80, 200]) {
    const widest = Math.max(...rows(1000, columns).map((row) => [...row].length));
    assert(widest <= (columns < 40 ? 80 : columns), `${widest} of ${columns}`);
    assertEquals(rows(1000, columns).some((row) => row.includes("█")), columns !== 20);
  }
});

/** A run in which lines are sent every 0.1 s, some lost after 1 s, and the others answered after 20 ms. */
function withLost(lost: number[], { known = true, lines = 100 } = {}): RunStats {
  const stats = new RunStats(false);
  const events = Array.from({ length: lines }, (_, i) => {
    const [seq, sentAt] = [i + 1, i * 0.1];
    const sent = known ? { sent: 1e15 + sentAt * 1e6 } : {};
    return lost.includes(seq)
      ? { fate: "lost" as const, seq, at: sentAt + 1, ...sent }
      : { fate: "received" as const, seq, at: sentAt + 0.02, rtt: 20_000, ...sent };
  });
  events.sort((one, other) => one.at - other.at).forEach((event) => stats.add(event));
  return stats;
}

test("losses are told in bursts, with the longest outage, whatever the order in which they become known", () => {
  const outage = [41, 42, 43, 44, 45, 46, 47, 48];
  for (const known of [true, false]) {
    const { loss_pattern } = withLost([7, 20, 21, ...outage], { known }).summary();
    assertEquals([loss_pattern!.bursts, loss_pattern!.longest.from, loss_pattern!.longest.lines], [3, 41, 8]);
    assertNear(loss_pattern!.longest.duration, 0.8, 1e-6);
  }
  assertEquals(withLost([]).summary().loss_pattern, null);
  const first = withLost([1, 2, 3]).summary().loss_pattern!;
  assertEquals([first.bursts, first.longest], [1, { from: 1, lines: 3, duration: 0.3 }]);
  const last = withLost([99, 100]).summary().loss_pattern!; // the run ends when they are given up, at 10.9 s
  assertEquals([last.longest.from, last.longest.lines], [99, 2]);
  assertNear(last.longest.duration, 1.1, 1e-6);
  const text = (stats: RunStats) => summaryLines(stats.summary()).join("\n");
  assert(
    text(withLost([20, ...outage])).includes(
      "\nlost in 2 bursts, longest outage 800 ms: 8 lines from seq=41 on",
    ),
  );
  assert(text(withLost(outage)).includes("\nlost in one burst, longest outage"));
  assert(!text(withLost([5])).includes("burst"));
});
