/** The time of a run and its rates agree with its counts, however it ends. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Engine } from "../load/engine.ts";
import type { LoadOptions } from "../load/options.ts";
import { loadLines, rateLine } from "../report/load_figures.ts";
import { earlyEndLine } from "../report/load_text.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { judgeTrial } from "../stats/load_trial.ts";
import { parseLimit } from "../commands/load_values.ts";
import { test } from "./harness.ts";
import { type Faults, LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

/** A run in virtual time. @param during is called when it begins. */
async function run(
  options: LoadOptions,
  faults: Partial<Faults> = {},
  during: (engine: Engine, world: LoadWorld) => void = () => {},
) {
  const world = new LoadWorld(faults, randomFrom(1));
  const intervals = await world.run(options, (engine) => during(engine, world));
  const loop = options.rate === undefined ? "closed" : "open";
  const stats = new LoadStats({ loop, timeout: options.timeout ?? 5000, stages: false });
  for (const it of intervals) stats.add(it);
  return { stats, summary: stats.summary(), intervals };
}

test("a closed loop of so many lines takes until the last reply, and receives all of them in that time", {
  level: "heavy",
}, async () => {
  for (const [count, connections] of [[3, 5], [100, 50], [2500, 50]] as const) {
    const { stats, summary } = await run({ count, connections }, { delay: 400, slow: 1 });
    const { duration, rate, service, received } = summary;
    assertEquals([received, stats.receivedLater], [count, 0]);
    assert(duration >= service!.max, `${duration} for ${service!.max}`);
    assert(Math.abs(rate.received * duration - count) <= 0.01 * count, JSON.stringify({ rate, duration }));
  }
});

test("a closed loop of so many lines ends although a line is lost, or cannot be written", async () => {
  const { summary } = await run({ count: 300, timeout: 700 }, { drop: 0.02 });
  assert(summary.lost > 0 && summary.received + summary.lost === 300, JSON.stringify(summary));
  const { summary: blocked } = await run(
    { count: 30, connections: 3, depth: 10, timeout: 300 },
    { block: 1, blockFor: 2000 },
  );
  assertEquals(blocked.sent, blocked.received + blocked.lost);
});

test("a plan that is cut short was carried out up to its first line that was not planned", async () => {
  for (const at of [1000, 1001, 1234]) {
    const { summary } = await run({ rate: 100, duration: 10_000, warmup: 0 }, {}, (engine, { clock }) => {
      void clock.sleep(at).then(() => {
        clock.stall(320); // it was at other work when it was to stop
        engine.stop();
      });
    });
    const told = JSON.stringify({ ...summary.rate, time: summary.duration, planned: summary.planned });
    assert(Math.abs(summary.rate.planned - 100) <= 1, told);
    assertMatch(rateLine(summary, 0), /^(?:99(?:\.\d)?|100|101) lines\/s planned/);
  }
});

test("a trial's row has the rate that the summary of its run has", async () => {
  const { stats, summary } = await run({ rate: 100, duration: 2000, connections: 50 }, {
    delay: 900,
    slow: 1,
  });
  assert(stats.receivedLater > 0);
  const trial = judgeTrial(
    { rate: 100, purpose: "search", cutShort: false, stats },
    parseLimit("p99<5ms"),
  );
  assertEquals(trial.received_rate, summary.rate.received);
});

test("replies after the plan's end are told beside the rate, and so is an end that was not planned", async () => {
  const options = { duration: 2000, connections: 50 };
  const open = await run({ ...options, rate: 100 }, { delay: 900, slow: 1 });
  assertMatch(
    loadLines(open.summary, 5000, open.stats.receivedLater).join("\n"),
    /^100 lines\/s planned, [\d.]+ lines\/s received in the time of the plan, and \d+ lines after its end$/m,
  );
  const closed = await run(options, { delay: 900, slow: 1 });
  assertMatch(
    loadLines(closed.summary, 5000, closed.stats.receivedLater).join("\n"),
    /^[\d.]+ lines\/s received, and 50 lines after that time$/m,
  );
  // Each closed loop has some: those that change nothing are not worth a word.
  assertMatch(rateLine({ ...closed.summary, received: 10_000 }, 50), /^[\d.]+ lines\/s received$/);
  const summary = { ...closed.summary, duration: 0.767 };
  assertEquals(earlyEndLine("stopped", summary), "interrupted after 767 ms");
  assertMatch(earlyEndLine("aborted", summary), /^interrupted after 767 ms, and what was in flight was not/);
  assertMatch(earlyEndLine("--abort-if p50>1us held after 1 s", summary), /^ended early: --abort-if p50>1us/);
});
