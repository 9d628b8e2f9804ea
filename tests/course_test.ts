/** What is kept of the course of a run, for charts: it is bounded, and loses neither an extreme nor a lost line. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BinnedSeries } from "../stats/binned_series.ts";
import { LossSpans } from "../stats/loss_spans.ts";
import { RunStats } from "../stats/run_stats.ts";
import { cases, test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

const MOMENTS = fc.array(
  fc.tuple(fc.double({ min: 0, max: 1e4, noNaN: true }), fc.integer({ min: -1e6, max: 1e9 })),
  { minLength: 1, maxLength: 200 },
);

test("bins of time keep count, sum, least and largest, however often neighbours become one", () => {
  assertProperty(
    fc.property(MOMENTS, fc.constantFrom(2, 8, 32), fc.boolean(), (values, most, sorted) => {
      if (sorted) values.sort(([a], [b]) => a - b);
      const series = new BinnedSeries(most);
      for (const [time, value] of values) series.add(time, value);
      for (const bins of [series.bins(), series.bins(2)]) {
        assert(bins.length <= most && bins.length > 0);
        assertEquals(bins.reduce((sum, { count }) => sum + count, 0), values.length);
        const all = values.map(([, value]) => value);
        assertEquals(Math.min(...bins.map(({ least }) => least)), Math.min(...all));
        assertEquals(Math.max(...bins.map(({ largest }) => largest)), Math.max(...all));
        const sum = bins.reduce((sum, { avg, count }) => sum + avg * count, 0);
        assertAlmostEquals(sum, all.reduce((sum, it) => sum + it, 0), 1);
        assert(bins.every(({ least, avg, largest }) => least - 1e-3 <= avg && avg <= largest + 1e-3));
        assert(bins.every(({ time }, i) => i === 0 || time > bins[i - 1]!.time), "bins are in order");
      }
    }),
    { numRuns: cases(500) },
  );
});

test("each bin has the extremes of its own stretch of time", () => {
  const series = new BinnedSeries(64);
  for (let i = 0; i < 100_000; i++) series.add(i / 100, i === 50_000 ? 5000 : i === 50_001 ? -5000 : i % 7);
  const bins = series.bins();
  assert(bins.length > 32 && bins.length <= 64);
  const peak = bins.filter(({ largest }) => largest > 6);
  assertEquals(peak.map(({ least, largest }) => [least, largest]), [[-5000, 5000]]);
  assert(Math.abs(peak[0]!.time - 500) < 1000 / bins.length, `${peak[0]!.time}`);
  assert(bins.every(({ count }, i) => count === bins[0]!.count || i === bins.length - 1), "bins are equal");
});

test("a value that is alone in its bin stands at its own moment, wherever the series begins", () => {
  const series = new BinnedSeries(8);
  for (const time of [3600, 3601.25, 3604.5]) series.add(time, time);
  assertEquals(series.bins().map(({ time, avg }) => [time, avg]), [
    [3600, 3600],
    [3601.25, 3601.25],
    [3604.5, 3604.5],
  ]);
});

test("above a line that is known at the end each bin's extremes are true delays", () => {
  const drift = 200; // µs a second, of 3,600 s: far more than any delay here
  const series = new BinnedSeries(128);
  const delays: number[] = [];
  for (let i = 0; i < 36_000; i++) {
    const time = i / 10;
    delays.push(100 + (i * 7919) % 400 + (i === 20_000 ? 3000 : 0));
    // The drift is learned on the way.
    series.add(time, 1e6 + drift * time + delays[i]!, i < 1000 ? 0 : drift * (1 + 10 / i));
  }
  const plain = new BinnedSeries(128);
  plain.addAll(series, { base: 1e6, slope: drift });
  const bins = plain.bins();
  assertAlmostEquals(Math.max(...bins.map(({ largest }) => largest)), Math.max(...delays), 1e-3);
  assert(bins.every(({ least, largest }) => least >= 100 - 1e-3 && largest <= 3500));
  // Once the drift is known the extremes are those of the bin, to the error of the drift in the width of a bin.
  assert(bins.slice(8).every(({ least, largest }) => least < 110 && largest > 490), JSON.stringify(bins[9]));
  const average = delays.reduce((sum, it) => sum + it) / delays.length;
  assertAlmostEquals(bins.reduce((sum, { avg, count }) => sum + avg * count, 0) / 36_000, average, 1e-3);
});

test("every lost line is in a span, and the number of spans is bounded", () => {
  assertProperty(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (
      lost,
      most,
    ) => {
      const spans = new LossSpans(0.5, most);
      lost.forEach((isLost, i) => {
        if (isLost) spans.add({ fate: "lost", seq: i + 1, at: i + 0.5 });
        else spans.add({ fate: "received", seq: i + 1, at: i, rtt: 0 });
      });
      const found = spans.spans();
      assert(found.length <= most);
      assertEquals(found.reduce((sum, { lines }) => sum + lines, 0), lost.filter((it) => it).length);
      lost.forEach((isLost, i) => {
        if (isLost) assert(found.some(({ from, to }) => from <= i && i <= to), `line ${i}`);
      });
      assert(found.every(({ from }, i) => i === 0 || from > found[i - 1]!.to), "spans are apart");
      // Few spans are what was lost one after the other.
      const bursts = lost.filter((it, i) => it && !lost[i - 1]).length;
      assertEquals(found.length, Math.min(bursts, most));
    }),
    { numRuns: cases(500) },
  );
});

test("a lost line is marked when it was sent: by the time-out, or by the wall clock of one that was answered", () => {
  const spans = new LossSpans(5);
  const wall = 1795405020e6;
  spans.add({ fate: "lost", seq: 1, at: 6 });
  spans.add({ fate: "received", seq: 2, at: 2.25, rtt: 0.25e6, sent: wall });
  spans.add({ fate: "lost", seq: 4, at: 9, sent: wall + 3e6, reason: "the server closed the connection" });
  spans.add({ fate: "lost", seq: 6, at: 9, sent: wall - 1e12, reason: "the clock was stepped" });
  spans.add({ fate: "pending", seq: 7, at: 9 });
  spans.add({ fate: "late", seq: 1, at: 9 });
  assertEquals(spans.spans(), [
    { from: 0, to: 0, lines: 1 },
    { from: 1, to: 1, lines: 1 },
    { from: 5, to: 5, lines: 1 },
  ]);
});

test("a wall clock that is stepped moves no loss by a time-out", () => {
  const wall = 1795405020e6;
  for (const step of [-60, 60]) {
    const spans = new LossSpans(5);
    spans.add({ fate: "received", seq: 1, at: 100, rtt: 0, sent: wall });
    spans.add({ fate: "lost", seq: 2, at: 106.3, sent: wall + 1e6 }); // noticed late
    spans.add({ fate: "lost", seq: 4, at: 145, sent: wall + (40 + step) * 1e6 });
    assertEquals(spans.spans().map(({ from, to }) => [from, to]), [[101, 101], [140, 140]]);
  }
});

test("delays over time lie above the line of their own stretch when a clock is stepped", () => {
  const stats = new RunStats(false);
  stats.keepCourse(5);
  const wall = 1795405020e6;
  for (let seq = 1; seq <= 400; seq++) {
    const [up, down] = [100 + (seq * 37) % 50, 200 + (seq * 61) % 80];
    const sent = wall + seq * 10_000;
    const stamp = sent + up + (seq > 200 ? 3e6 : 0);
    const rtt = up + down;
    stats.add({
      ...{ fate: "received", seq, at: (sent - wall + rtt) / 1e6, rtt, sent, received: sent + rtt, stamp },
      format: "iso",
    });
  }
  const [server] = stats.summary().servers;
  assertEquals(server!.break_count, 1);
  const { course } = stats.course!.servers[0]!;
  const { up, down } = course.delays(1000);
  for (const [bins, delays] of [[up, server!.up!], [down, server!.down!]] as const) {
    assertEquals(bins.reduce((sum, { count }) => sum + count, 0), 400);
    assertAlmostEquals(Math.max(...bins.map(({ largest }) => largest)) / 1e6, delays.max, 1e-8);
    assertAlmostEquals(Math.min(...bins.map(({ least }) => least)), 0, 0.01);
  }
  const offsets = course.offsets();
  const { value, bound } = server!.offset!;
  const { lower, upper } = offsets.at(-1)!.offset;
  assertAlmostEquals((lower + upper) / 2e6, value, 1e-8);
  assertAlmostEquals((upper - lower) / 2e6, bound, 1e-8);
  const narrow = offsets.filter(({ at }) => at > 1 && at < 2).map(({ offset: { lower, upper } }) =>
    upper - lower
  );
  const average = narrow.reduce((sum, it) => sum + it) / narrow.length;
  assert(average < 350, `replies prove more together than each of them: ${average} µs`);
  for (const { at, offset } of offsets) {
    const truth = at > 2.005 ? 3e6 : 0;
    assert(offset.lower <= truth && truth <= offset.upper, `${at} s: ${JSON.stringify(offset)}`);
  }
});

test("delays over time are those above a drifting clock's line", { level: "heavy" }, () => {
  const stats = new RunStats(false);
  stats.keepCourse(5);
  const [wall, ppm] = [1795405020e6, 200];
  for (let seq = 1; seq <= 4000; seq++) {
    const [up, down] = [100 + (seq * 37) % 50, 200 + (seq * 61) % 80 + (seq === 3000 ? 700 : 0)];
    const sent = wall + seq * 100_000;
    const stamp = Math.round(sent + up + ppm * (seq / 10 + up / 1e6));
    const rtt = up + down;
    stats.add({
      ...{ fate: "received", seq, at: (sent - wall + rtt) / 1e6, rtt, sent, received: sent + rtt, stamp },
      format: "iso",
    });
  }
  const [server] = stats.summary().servers;
  assert(server!.drift!.proven);
  const { up, down } = stats.course!.servers[0]!.course.delays(1000);
  for (const [bins, delays] of [[up, server!.up!], [down, server!.down!]] as const) {
    assertAlmostEquals(Math.max(...bins.map(({ largest }) => largest)) / 1e6, delays.max, 1e-8);
    assertAlmostEquals(Math.min(...bins.map(({ least }) => least)), 0, 0.1);
    const sum = bins.reduce((sum, { avg, count }) => sum + avg * count, 0);
    assertAlmostEquals(sum / 4000 / 1e6, delays.avg, 1e-8);
  }
});

test("a run whose course is not kept has none", () => {
  assertEquals(new RunStats(false).course, undefined);
});
