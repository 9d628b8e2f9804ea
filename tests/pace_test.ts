/** What is told of a run's pace, and of lines of which nothing is known yet. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { lossText } from "../report/format.ts";
import { paceLines } from "../report/pace.ts";
import { summaryLines } from "../report/summary.ts";
import type { ProbeEvent } from "../stats/events.ts";
import { RunStats } from "../stats/run_stats.ts";
import { judge, parseThreshold } from "../stats/threshold.ts";
import { test } from "./harness.ts";

const EPOCH = 1.7e15;

/** A line that was sent at a moment in seconds, this late in µs. */
function line(seq: number, sentAt: number, fate: "received" | "lost" | "pending", lag = 10): ProbeEvent {
  const times = { sent: EPOCH + sentAt * 1e6, lag, blocked: 5 };
  if (fate !== "received") return { fate, seq, at: sentAt + 1, ...times };
  return { fate, seq, at: sentAt + 0.002, rtt: 2000, received: EPOCH + sentAt * 1e6 + 2000, ...times };
}

function statsOf(...events: ProbeEvent[]): RunStats {
  const stats = new RunStats(false);
  for (const event of events) stats.add(event);
  return stats;
}

test("the interval told is that of the lines that were sent, wherever others were missed", () => {
  const [first, second, third] = [1, 2, 3].map((seq) => line(seq, seq * 0.02, "received"));
  const missed = {
    fate: "missed" as const,
    seq: 0 as const,
    at: 6,
    count: 251,
    reason: "the connection took no more",
  };
  const after = statsOf(first!, second!, third!, missed).summary();
  assertEquals(after.interval, 0.02);
  const between = statsOf(first!, missed, line(2, 5.12, "received"), line(3, 6.02, "received"));
  assertEquals(between.summary().interval, 3);
});

test("the pace told is that of the whole plan, a tail without lines included", () => {
  const missed = {
    fate: "missed" as const,
    seq: 0 as const,
    at: 6,
    count: 7,
    reason: "the connection took no more",
  };
  const lines = [1, 2, 3].map((seq) => line(seq, seq * 0.02, "received"));
  for (const events of [[...lines, missed], [lines[0]!, missed, ...lines.slice(1)]]) {
    assertStringIncludes(
      paceLines(statsOf(...events).summary(), 0.03).join("\n"),
      "; one every 100.000 ms instead of 30.000 ms",
    );
  }
  assertEquals(paceLines(statsOf(missed).summary(), 0.03), [
    "7 lines were not sent in time: the connection took no more",
  ]);
});

test("the interval is told of lines without a reply, in whatever order their fates become known", () => {
  const lost = [1, 2, 3].map((seq) => line(seq, seq * 0.5, "lost"));
  assertEquals(statsOf(...lost).summary().interval, 0.5);
  const answered = [4, 5].map((seq) => line(seq, seq * 0.5, "received"));
  assertEquals(statsOf(...answered, ...lost, line(6, 3, "pending")).summary().interval, 0.5);
  assertEquals(statsOf(lost[0]!).summary().interval, null);
  assertEquals(statsOf().summary().interval, null);
});

test("ping tells its own lateness of few lines too", () => {
  const told = (late: number) => {
    const lines = [1, 2, 3, 4, 5].map((seq) => line(seq, seq, "received", seq === 4 ? late : 100));
    return paceLines(statsOf(...lines).summary(), 1);
  };
  assertEquals(told(90_000), []);
  assertEquals(told(458_691), [
    "send lag max 458.691 ms: ping itself was late with its lines",
    "response min/avg/max/mdev = 2.105/93.823/460.696/183.436 ms, from planned line to reply",
  ]);
});

test("the loss is unknown as long as no line was answered or lost", () => {
  const waiting = statsOf(line(1, 1, "pending"));
  assertEquals(waiting.summary().loss, null);
  assertStringIncludes(summaryLines(waiting.summary())[0]!, "1 still pending at the end, loss unknown, time");
  for (const condition of ["loss>1%", "loss<1%"]) {
    const { verdict, help } = judge(parseThreshold(condition), waiting);
    assertEquals([verdict, help], ["cannot tell", "no line was answered or lost"]);
  }
  const known = statsOf(line(1, 1, "received"), line(2, 2, "pending"));
  assertEquals([known.summary().loss, lossText(known.summary().loss)], [0, "0% loss"]);
});
