/** Lost lines on a load's page: what is marked, and how many there were when. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";
import { answer, runOf } from "./load_helpers.ts";
import { layerOf, pageOf, plotOf, plotsOf, type Run, wordsOf } from "./load_page_helpers.ts";

/** Ten seconds, of which these have no reply; in all others so many lines are lost. */
function losing(silent: number[], others: number): Run {
  return runOf(10, (interval, place) => {
    const isSilent = silent.includes(place);
    answer(interval, isSilent ? 0 : 100 - others, 200);
    interval.planned = interval.sent = 100;
    if (place >= 2) interval.lost = silent.includes(place - 2) ? 100 : others; // their time-out is 2 s
  }, { timeout: 2000 });
}

test(
  "an outage is marked when its lines were due, and rates are those of each second",
  { level: "heavy" },
  () => {
    const page = pageOf(losing([1, 2, 6], 0));
    for (const title of ["Response over time", "Planned, sent and received rate", "Lines lost"]) {
      assertEquals(layerOf(plotOf(page, title), "spans")!.spans, [[1, 3], [6, 7]], title);
      assertStringIncludes(
        wordsOf(plotOf(page, title)),
        "300 lines were lost, failed or not sent; 2 spans, in which it was a fifth of the lines or more, are marked.",
      );
    }
    const rates = plotOf(page, "Planned, sent and received rate");
    assertEquals(layerOf(rates, "line", "planned")!.y, Array.from({ length: 11 }, () => 100));
    assertEquals(layerOf(rates, "line", "received")!.y.slice(0, 4), [100, 0, 0, 100]);
    const long = pageOf(runOf(700, (interval) => answer(interval, 1, 200)));
    assertEquals([page, long].map((it) => plotOf(it, "Lines in flight").title), [
      "Lines in flight as each second ended",
      "Lines in flight as each 2 s ended",
    ]);
  },
);

test(
  "lines that are lost here and there mark nothing, and have a chart of their own",
  { level: "heavy" },
  () => {
    const page = pageOf(losing([], 2));
    assertEquals(plotsOf(page).filter((it) => layerOf(it, "spans") !== undefined), []);
    const lost = plotOf(page, "Lines lost, failed or not sent over time");
    assertEquals(lost.layers.map((it) => it.name), ["lost, when due"]);
    assertEquals(layerOf(lost, "line")!.y, [...Array.from({ length: 9 }, () => 2)]);
    assertStringIncludes(
      wordsOf(plotOf(page, "Response over time")),
      "16 lines were lost, failed or not sent; at no time a fifth of those that were due.",
    );
    const spansOf = (lost: number) =>
      layerOf(plotOf(pageOf(losing([], lost)), "Response over time"), "spans")?.spans;
    assertEquals([spansOf(19), spansOf(20)], [undefined, [[0, 8]]]);
    // Beside an outage they are not marked either.
    assertEquals(layerOf(plotOf(pageOf(losing([4], 2)), "Response over time"), "spans")!.spans, [[4, 5]]);
    const whole = pageOf(losing([], 0));
    assert(!plotsOf(whole).some(({ title }) => title.startsWith("Lines lost")));
  },
);

test("losses are drawn with their amount: what waited for a time-out when it was due, the rest when it failed", () => {
  const run = runOf(4, (interval, place) => {
    answer(interval, 300, 14_000);
    if (place === 1) interval.unsent += 7;
    if (place === 3) interval.errors.set("connection reset", 4);
    if (place === 3) interval.dropped += 2;
  }, { timeout: 1500 });
  const tail = new LoadInterval();
  Object.assign(tail, { from: 4000, to: 5520, tail: true, lost: 90 });
  run.stats.add(tail);
  const plot = plotOf(pageOf(run), "Lines lost, failed or not sent");
  const lost = layerOf(plot, "line", "lost, when due")!;
  assertEquals([lost.x, lost.y], [[0, 0.5, 1.5, 2.5, 4], [14, 0, 0, 60, 60]]);
  assertEquals(layerOf(plot, "line", "failed or dropped")!.y, [0, 0, 0, 6, 6]);
  assertEquals(
    plot.description,
    "lost, when due: at most 60 lines/s, at 2.5 s; failed or dropped: at most 6 lines/s, at 3.0 s.",
  );
  assertStringIncludes(plot.note!, "103 lines were lost, failed or not sent");
  const whole = plotOf(pageOf(run), "Planned");
  assertEquals(whole.layers.map(({ name }) => name), ["planned", "sent", "received"]);
});
