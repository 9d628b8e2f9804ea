/** The verdicts at the top of a load's page, in words. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { LoadStart } from "../report/load_record.ts";
import type { Page } from "../report/page/model.ts";
import { Distribution } from "../stats/distribution.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import { parseThresholdOf } from "../stats/threshold.ts";
import { test } from "./harness.ts";
import { answer, type Fill, runOf, START } from "./load_helpers.ts";
import { eventful, pageOf, tableOf } from "./load_page_helpers.ts";

/** The verdict on a topic, as `tone: text`. */
function verdictOf({ verdicts }: Page, topic: string): string {
  const { tone, text } = verdicts.find((it) => it.topic === topic)!;
  return `${tone}: ${text}`;
}

/** A second of replies, most of which are late on the way down. */
function slowDown(interval: LoadInterval, lines = 1000): void {
  answer(interval, lines, 200);
  interval.server(null).down.record(9000, lines);
}

test("a generator that was late makes neither a direction nor a steady state", { level: "heavy" }, () => {
  const late: Fill = (interval) => {
    slowDown(interval);
    interval.sendLag.record(488_000, 2000);
  };
  const [limited, ok] = [late, (it: LoadInterval) => slowDown(it)].map((it) => pageOf(runOf(40, it))) as [
    Page,
    Page,
  ];
  assertEquals(
    verdictOf(limited, "Generator"),
    "bad: limited: half of its lines were more than 488.000 ms late, so the server can do at least 1000 lines/s",
  );
  assertEquals(
    verdictOf(limited, "Direction"),
    "unsure: cannot tell: this program was at its limit, and what it reads late looks like downstream delay",
  );
  assertEquals(
    verdictOf(limited, "Steady state"),
    "unsure: cannot tell: this program was at its limit, and the latencies are its own",
  );
  assertEquals(
    verdictOf(ok, "Generator"),
    "good: ok: the figures are those of the path and the server",
  );
  assertStringIncludes(verdictOf(ok, "Direction"), "bad: downstream has most of the delay");
  assertEquals(verdictOf(ok, "Steady state"), "good: p99 shows no trend");
  const few = (fill: Fill) =>
    pageOf(runOf(40, (interval, place) => {
      fill(interval, place);
      interval.planned += 50;
      interval.unsent += 50;
    }));
  const told = "1050 lines/s planned, 1000 lines/s received";
  assertEquals(
    verdictOf(few(late), "Rate"),
    `unsure: ${told}: this program was at its limit, and did not send as planned`,
  );
  assertEquals(
    verdictOf(few((it) => slowDown(it)), "Rate"),
    `bad: ${told}: replies did not keep up with the plan`,
  );
  const short = pageOf(runOf(3, late));
  assertStringIncludes(verdictOf(short, "Steady state"), "plain: not judged: that takes 30 s");
});

test("a direction that the stamps do not tell is in doubt, as on ping's page", () => {
  const unknown = { tag: null, up: undefined, down: undefined, offset: null, unsteady: null };
  const run = runOf(3, (it) => answer(it, 100, 200), { directions: () => [unknown] });
  assertEquals(
    verdictOf(pageOf(run), "Direction"),
    "unsure: unknown: the stamps do not tell the directions apart",
  );
});

test("where replies could not be told apart, the page says so in place of a direction", () => {
  const run = runOf(3, (it) => {
    answer(it, 100, 200);
    it.sent++;
    it.lost++;
  }, { alike: true });
  assertStringIncludes(verdictOf(pageOf(run), "Replies"), "bad: replies over UDP cannot be told apart");
  assertEquals(verdictOf(pageOf(run), "Direction"), "unsure: unknown, as the replies are");
  const whole = runOf(3, (it) => answer(it, 100, 200), { alike: true });
  assertStringIncludes(verdictOf(pageOf(whole), "Replies"), "unsure: replies over UDP cannot be told apart");
  assertEquals(tableOf(pageOf(run), "Servers").rows[0]!.slice(-2), ["unknown", "–"]);
});

test("a latency's median and p99 come first, with their intervals or what is known instead", {
  level: "heavy",
}, () => {
  const first = (fill: Fill, seconds = 3, start: LoadStart = START) => {
    const run = runOf(seconds, fill, { loop: start.loop });
    const { verdicts: [verdict] } = pageOf(run, start, { ended: "stopped" });
    return `${verdict!.topic} ${verdict!.tone}: ${verdict!.text}`;
  };
  assertEquals(
    first((it) => answer(it, 1000, 200), 40),
    "Latency plain: p50 0.200 ms (0.200 to 0.200), p99 0.200 ms (0.200 to 0.200), with 95% intervals",
  );
  assertEquals(first((it) => answer(it, 1000, 200)), "Latency plain: p50 0.200 ms, p99 0.200 ms");
  assertEquals(first((it) => answer(it, 9, 200)), "Latency plain: p50 0.200 ms, max 0.200 ms");
  const lossy: Fill = (it) => {
    answer(it, 960, 200);
    it.planned += 40;
    it.sent += 40;
    it.lost += 40;
  };
  assertEquals(first(lossy), "Latency plain: p50 0.200 ms, p99 > 5 s");
  assertEquals(
    first((it) => {
      it.planned = it.sent = it.lost = 10;
    }),
    "Latency bad: no line was answered in time",
  );
  assertStringIncludes(
    first((it) => answer(it, 1000, 205), 3, { ...START, loop: "closed", rate: null, depth: 1 }),
    "Latency unsure: p50 0.200 ms, p99 0.200 ms; service time, closed loop: excludes waiting caused by slow replies",
  );
});

test("lines without a reply are told apart: those that were not sent, that came late, and that failed", () => {
  const loss = (fill: Fill) => verdictOf(pageOf(runOf(2, fill)), "Loss");
  assertEquals(
    loss((it) => {
      answer(it, 500, 200);
      it.planned += 500;
      it.dropped += 250;
      it.unsent += 3;
      it.sent += 247;
      it.lost += 200;
      it.late += 150;
      it.corrupt += 2;
      it.errors.set("connection reset", 45);
    }),
    "bad: 1000 of 2000 lines had no valid reply in time: 500 not sent (too many in flight), 6 not sent in time, " +
      "100 never answered, 300 answered late, 4 answered wrongly, 90 failed. 2000 lines planned, 1494 sent, " +
      "1000 received, 400 lost (300 of these late), 500 dropped, 6 unsent, 4 corrupt, 90 errors, time 2 s",
  );
  assertEquals(
    loss((it) => answer(it, 500, 200)),
    "good: none: 1000 lines planned, 1000 sent, 1000 received, time 2 s",
  );
});

test("notes on percentiles have a column of their own, where there are any", () => {
  const lossy = (lines: number) =>
    tableOf(
      pageOf(runOf(40, (it) => {
        answer(it, 1000 - lines, 200);
        it.planned = it.sent = 1000;
        it.lost = lines;
      })),
      "Response",
    );
  const { columns, rows } = lossy(5);
  assertEquals(columns.map(({ name }) => name), ["percentile", "value", "95% interval", "note"]);
  assertEquals(rows.slice(-3).map((row) => [row[0], ...row.slice(2)]), [
    ["p99", "0.200 to 0.200 ms", ""],
    ["p99.9", "", "200 lines not answered in time"],
    ["max", "", "of received lines"],
  ]);
  assertEquals(lossy(0).columns.map(({ name }) => name), ["percentile", "value", "95% interval"]);
});

test("a server's delays are told as reliable, or under which condition they are", () => {
  const table = (unsteady: "drift" | null) => {
    const delays = new Distribution();
    delays.record(100);
    const directions = () => [{ tag: null, up: delays, down: delays, offset: null, unsteady }];
    return tableOf(pageOf(runOf(2, (it) => answer(it, 500, 200), { directions })), "Servers");
  };
  assertEquals(table(null).columns.at(-1)!.name, "delays reliable");
  assertEquals(table(null).rows[0]!.at(-1), "yes");
  assertStringIncludes(table("drift").rows[0]!.at(-1)!, "only if no clock drifted by more than");
});

test("conditions are told with what was measured, the kept ones too", () => {
  const run = eventful(3);
  const thresholds = ["p50<1h", "lost>1000", "p99.99>5ms"].map((it) =>
    judgeLoad(parseThresholdOf(LOAD_METRICS, it), run.stats)
  );
  const { verdicts } = pageOf(run, START, { thresholds });
  assertEquals(
    verdicts.filter(({ topic }) => topic === "Condition").map(({ tone, text }) => [tone, text.split(":")[0]]),
    [
      ["bad", "Threshold broken"],
      ["good", "Threshold kept"],
      ["bad", "Threshold broken"],
    ],
  );
});

test("the verdicts tell losses, and which direction has the delay of each server", () => {
  const page = pageOf(eventful());
  const told = page.verdicts.map(({ topic, tone, text }) => [topic, tone, text.replace(/:.*/, "")]);
  assertEquals(
    told.filter(([topic]) => topic === "Loss" || topic!.startsWith("Direction")),
    [
      ["Loss", "bad", `${20 * 40} of ${1000 * 40} lines had no valid reply in time`],
      ["Direction, web-1", "plain", "neither direction has clearly more of the delay"],
      ["Direction, web-2", "bad", "upstream has most of the delay"],
    ],
  );
  const upBy = (micros: number) =>
    verdictOf(
      pageOf(runOf(3, (interval) => {
        answer(interval, 1000, 200);
        interval.server(null).up.record(micros, 1000);
      })),
      "Direction",
    ).replace(/:[^:]*$/, "");
  // As ping says it: many times more, and more than a little.
  assertEquals(upBy(90), "plain: neither direction has clearly more of the delay");
  assertEquals(upBy(900), "bad: upstream has most of the delay");
  const quiet = pageOf(runOf(3, (interval) => answer(interval, 1000, 200)));
  assertEquals(quiet.verdicts.find((it) => it.topic === "Loss")?.tone, "good");
});
