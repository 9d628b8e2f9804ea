/** The search for the highest rate, over servers of a known capacity in virtual time. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { find, type FindOptions, type RunTrial } from "../load/find.ts";
import { FIND_DEFAULTS } from "../probe/load_defaults.ts";
import { StagesSchedule } from "../probe/schedule.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { judgeTrial } from "../stats/load_trial.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { parseThresholdOf } from "../stats/threshold.ts";
import { test } from "./harness.ts";

/** A server of one queue, and the generator before it. */
interface Simulated {
  /** Lines a second that it can serve. */
  capacity: number;
  /** When it serves nothing, in a trial with this number (from 0), in ms. */
  stall?: (trial: number) => { from: number; until: number } | undefined;
  /** How late the generator is at a rate, in ms. */
  lag?: (rate: number) => number;
  /** When the generator stands still, in a trial with this number at a rate, in ms. */
  stop?: (trial: number, rate: number) => { from: number; until: number } | undefined;
  /** Lines that it loses at a rate, of those of a trial. */
  lost?: (rate: number) => number;
  poisson?: boolean;
}

interface Run {
  rate: number;
  duration: number;
  /** How much of it was run, in ms. */
  ran: number;
}

/** Trials of simulated lines by Lindley's recursion; what was run is noted. */
function trialsOf(server: Simulated, runs: Run[]): RunTrial {
  return (rate, duration, hopeless) => {
    const stall = server.stall?.(runs.length);
    const arrivals = server.poisson ? "poisson" : "uniform";
    const schedule = StagesSchedule.constant(rate, duration, { arrivals, seed: runs.length });
    const stop = server.stop?.(runs.length, rate);
    const usual = server.lag?.(rate) ?? 0.001;
    let lost = server.lost?.(rate) ?? 0;
    const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false });
    const newInterval = (from: number) => Object.assign(new LoadInterval(), { from, to: from + 1000 });
    let interval = newInterval(0);
    // A server that sends back its replies of a second later shows them in a later interval.
    const replies: { read: number; planned: number; arrived: number }[] = [];
    const endInterval = () => {
      let read = 0;
      for (; read < replies.length && replies[read]!.read < interval.to; read++) {
        const reply = replies[read]!;
        interval.response.record((reply.read - reply.planned) * 1000);
        interval.service.record((reply.read - reply.arrived) * 1000);
        interval.blocked.record(0);
        interval.received++;
      }
      replies.splice(0, read);
      stats.add(interval);
      interval = newInterval(interval.to);
    };
    let [free, ran] = [0, duration];
    for (let planned = schedule.next(); planned !== undefined; planned = schedule.next()) {
      let ended = false;
      while (planned >= interval.to && !ended) {
        endInterval();
        ended = hopeless(stats);
      }
      if (ended) {
        ran = interval.from;
        break;
      }
      interval.planned++;
      interval.sent++;
      const lag = stop !== undefined && planned >= stop.from && planned < stop.until
        ? stop.until - planned
        : usual;
      interval.sendLag.record(lag * 1000);
      if (lost > 0) {
        interval.lost++;
        lost--;
        continue;
      }
      const arrived = planned + lag;
      const begun = Math.max(free, arrived);
      free = (stall !== undefined && begun >= stall.from && begun < stall.until ? stall.until : begun) +
        1000 / server.capacity;
      replies.push({ read: free, planned, arrived });
    }
    if (ran === duration && interval.planned > 0) endInterval();
    interval.tail = true;
    interval.to = Infinity;
    endInterval();
    hopeless(stats);
    runs.push({ rate, duration, ran });
    return Promise.resolve(stats);
  };
}

async function search(server: Simulated, options: Partial<FindOptions> & { text?: string } = {}) {
  const { text = "p99<5ms", ...rest } = options;
  const runs: Run[] = [];
  const reported: number[] = [];
  const condition = parseThresholdOf(LOAD_METRICS, text);
  const found = await find({ condition, ...rest }, trialsOf(server, runs), (it) => reported.push(it.rate));
  assertEquals(reported, found.trials.map((it) => it.rate));
  assertEquals(reported, runs.map((it) => it.rate));
  return { ...found, runs };
}

for (const capacity of [30.5, 431, 1000, 12_345, 50_000]) {
  test(`a server of ${capacity} lines/s is found to do that, to 5%, whatever the search begins with`, {
    level: capacity === 431 ? "quick" : "slow",
  }, async () => {
    for (const rate of capacity === 50_000 ? [undefined] : [undefined, 7, capacity * 1.9]) {
      const { outcome, rate: found, runs, trials } = await search({ capacity }, {
        rate,
        text: `p99<${5000 / capacity}ms`, // five lines' time
      });
      assertEquals(outcome, "found");
      // Somewhat more than it can do takes longer than a trial to build a queue.
      assert(found! <= capacity + 0.5 && found! >= capacity / 1.06, `${found}`);
      assertEquals(runs[0]!.rate, rate ?? FIND_DEFAULTS.rate);
      assertEquals(runs.at(-1), { rate: found!, duration: 30_000, ran: 30_000 });
      assertEquals(trials.at(-1)!.purpose, "confirm");
      assertEquals(trials.map((it) => it.cut_short), runs.map((it) => it.ran < it.duration));
      runs.forEach((it, i) => assertEquals(it.duration, trials[i]!.purpose === "search" ? 10_000 : 30_000));
      assert(
        trials.every((it) => it.passed === (it.rate <= capacity) || Math.abs(it.rate - capacity) <= 0.5),
      );
      assert(trials.length <= 35, `${trials.length} trials`);
    }
  });
}

test("a trial that cannot pass any more is cut short, after the first second that shows it", async () => {
  const { trials, runs } = await search({ capacity: 3000 });
  const over = trials.findIndex((it) => it.rate === 4000);
  assertEquals([trials[over]!.cut_short, runs[over]!.ran], [true, 1000]);
  assert(trials[over]!.reasons.includes("p99<5ms not kept"), trials[over]!.reasons.join());
  const losing = await search({ capacity: 1e6, lost: (rate) => rate > 3000 ? 1 : 0 });
  assert(losing.rate! > 2800 && losing.rate! <= 3000);
  const first = losing.trials.findIndex((it) => it.rate === 4000);
  assertEquals([losing.trials[first]!.reasons, losing.runs[first]!.ran], [["1 lost"], 1000]);
});

for (const [level, places] of [["quick", [2, 4]], ["slow", [0, 7, 9]]] as const) {
  test(`a trial that fails by chance is repeated, and two of three decide: ${places.join(", ")}`, {
    level,
  }, async () => {
    for (const unlucky of places) {
      const { outcome, rate, runs } = await search({
        capacity: 6000,
        stall: (trial) => trial === unlucky ? { from: 3000, until: 4000 } : undefined,
      });
      assertEquals(outcome, "found");
      assert(rate! <= 6000 && rate! >= 6000 / 1.06, `${rate} with trial ${unlucky} unlucky`);
      const same = runs.slice(0, -1).filter((it) => it.rate === runs[unlucky]!.rate).length;
      assert(runs[unlucky]!.rate > 6000 ? same === 2 : same === 3, `${same} trials of one rate`);
    }
  });
}

test("at the border a trial that passes is repeated too", async () => {
  const { trials: passing } = await search({ capacity: 6600 });
  const twice = passing.filter((it) => it.rate === 6500 && it.purpose === "search");
  assertEquals(twice.map((it) => it.passed), [true, true]);
  const { runs, trials } = await search({ capacity: 6000 });
  for (const [rate, times] of [[1000, 1], [2000, 1], [4000, 1], [8000, 2], [6000, 1], [7000, 2]] as const) {
    assertEquals(runs.filter((it) => it.rate === rate && it.duration === 10_000).length, times, `${rate}`);
  }
  const near = trials.filter((it) => it.purpose === "search" && it.rate > 6000 && it.rate < 7000);
  assert(near.length === 4 && near.every((it) => !it.passed), JSON.stringify(near));
});

test("a rate that does not last is followed by 5% less three times, and then by lower ones that passed", async () => {
  const lasting = (lasts: number) =>
    search({
      capacity: 1000,
      // Only in the long trials the server stands still at times, if there is more to do than `lasts`.
      stall: (trial) => trial < confirmFrom ? undefined : { from: 20_000, until: 20_000 + lasts },
    });
  let confirmFrom = Infinity;
  const quiet = await lasting(0);
  confirmFrom = quiet.trials.findIndex((it) => it.purpose === "confirm");
  const { outcome, rate, trials } = await lasting(1000);
  const passed = trials.filter((it) => it.passed).map((it) => it.rate).sort((a, b) => b - a);
  assertEquals([outcome, rate], ["unconfirmed", passed[0]]);
  const confirms = trials.filter((it) => it.purpose === "confirm").map((it) => it.rate);
  const lower = new Set(passed.filter((it) => it < confirms[3]!));
  assertEquals(confirms.slice(4), [...lower].slice(0, 3));
  confirms.slice(0, 4).forEach((it, i) =>
    assert(Math.abs(it - confirms[0]! * 0.95 ** i) < 0.5, confirms.join())
  );
  // A search that was lucky: the server loses a line of each long trial above 900 lines/s.
  const runs: Run[] = [];
  const plain = trialsOf({ capacity: 1000 }, runs);
  const losing = trialsOf({ capacity: 1000, lost: (rate) => rate > 900 ? 1 : 0 }, runs);
  const condition = parseThresholdOf(LOAD_METRICS, "p99<5ms");
  const found = await find({ condition }, (...trial) => (trial[1] > 10_000 ? losing : plain)(...trial));
  assertEquals(found.outcome, "found");
  assert(found.rate! <= 900 && found.rate! > 850, `${found.rate}`);
  // It loses one of each long trial above 300 lines/s: the third of the lower rates that passed one lasts.
  const less = trialsOf({ capacity: 1000, lost: (rate) => rate > 300 ? 1 : 0 }, runs);
  const lasts = await find(
    { condition, rate: 100 },
    (...trial) => (trial[1] > 10_000 ? less : plain)(...trial),
  );
  assertEquals([lasts.outcome, lasts.rate], ["found", 200]);
  assertEquals(lasts.trials.slice(-3).map((it) => [it.rate, it.passed]), [[800, false], [400, false], [
    200,
    true,
  ]]);
});

test("a generator that is limited ends the search with the highest rate that it kept to, or what was received", async () => {
  const lag = (rate: number) => rate > 7000 ? 2 : 0.001;
  const passing = await search({ capacity: 1e6, lag });
  assertEquals([passing.outcome, passing.rate, passing.trials.at(-1)!.passed], ["at least", 4000, true]);
  const failing = await search({ capacity: 1e6, lag }, { text: "p99<1ms" });
  assertEquals([failing.outcome, failing.rate, failing.trials.at(-1)!.passed], ["at least", 4000, false]);
  // Each line passes, but a tenth of them so late that their replies come after the plan's end.
  const only = await search({ capacity: 1e6, lag: () => 1000 }, { text: "p99<5s" });
  assertEquals([only.outcome, only.trials.map((it) => it.passed)], ["at least", [true, true]]);
  assertEquals([only.rate, only.trials[0]!.received_rate], [900, 900]);
  const never = await search({ capacity: 1e6, lag: () => 10 });
  assertEquals([never.outcome, never.rate, never.trials.length], ["at least", null, 2]);
  let trial = 0;
  const once = await search({ capacity: 6000, lag: () => trial++ === 1 ? 10 : 0.001 });
  assert(once.outcome === "found" && once.rate! > 5600, "a single limited trial is repeated");
});

test("a rate is held by a generator that kept to it: a limited trial is repeated, and a second one ends the search", async () => {
  const confirmedWith = async (limited: number, capacity = 1000) => {
    const runs: Run[] = [];
    let confirms = 0;
    const sound = trialsOf({ capacity }, runs);
    const late = trialsOf({ capacity: 1e6, lag: () => 2 }, runs);
    const condition = parseThresholdOf(LOAD_METRICS, "p99<5ms");
    return await find({ condition, rate: 500 }, (...trial) => {
      const isLate = trial[1] > 10_000 && confirms++ < limited;
      return (isLate ? late : sound)(...trial);
    });
  };
  const once = await confirmedWith(1);
  assertEquals([once.outcome, once.trials.at(-2)!.generator.verdict], ["found", "limited"]);
  const twice = await confirmedWith(2);
  const searched = twice.trials.filter((it) => it.purpose === "search" && it.passed);
  assertEquals([twice.outcome, twice.rate], ["at least", Math.max(...searched.map((it) => it.rate))]);
  assertEquals(twice.trials.slice(-2).map((it) => [it.passed, it.generator.verdict]), [
    [true, "limited"],
    [true, "limited"],
  ]);
});

/** A generator that stands still is late with 1.4% of a trial's lines by more than 5 ms: no verdict calls that limited. */
const STOP = { from: 3000, until: 3145 };

test("a trial that the generator's own send lag broke is no failure of the server, and is repeated", async () => {
  const lost = (rate: number) => rate > 3000 ? 1 : 0;
  const undisturbed = await search({ capacity: 1e6, lost });
  for (const late of [0, 1, undisturbed.trials.findLastIndex((it) => it.purpose === "search" && it.passed)]) {
    const { outcome, rate, trials } = await search({
      ...{ capacity: 1e6, lost },
      stop: (trial) => trial === late ? STOP : undefined,
    });
    assertEquals([outcome, rate], ["found", undisturbed.rate], `${late}`);
    const { passed, generator, reasons, reason_codes, ...trial } = trials[late]!;
    assertEquals([passed, generator.verdict, reasons[0]], [false, "strained", "p99<5ms not kept"]);
    assertMatch(reasons[1]!, /^this machine was late: p99 \d+\.\d{3} ms of send lag$/);
    assertEquals(reason_codes, ["not-kept", "generator-late"]);
    assertEquals(generator.reason_codes, ["late"]);
    assertEquals(trials.filter((it) => it.rate === trial.rate && it.purpose === "search").length, 3);
  }
});

test("a generator that is late again ends the search with what it had shown, in the search and in the confirmation", async () => {
  const above = await search({ capacity: 1e6, stop: (_, rate) => rate > 3000 ? STOP : undefined });
  assertEquals([above.outcome, above.rate], ["at least", 2000]);
  assertEquals(above.trials.map((it) => [it.rate, it.passed]), [[1000, true], [2000, true], [4000, false], [
    4000,
    false,
  ]]);
  const never = await search({ capacity: 1e6, stop: () => STOP });
  assertEquals([never.outcome, never.rate, never.trials.length], ["at least", null, 2]);
  const runs: Run[] = [];
  const sound = trialsOf({ capacity: 1000 }, runs);
  for (const times of [1, 2]) {
    let confirms = 0;
    const late = trialsOf({ capacity: 1e6, stop: () => ({ from: 3000, until: 3450 }) }, runs);
    const condition = parseThresholdOf(LOAD_METRICS, "p99<5ms");
    const { outcome, rate, trials } = await find(
      { condition, rate: 500 },
      (...trial) => (trial[1] > 10_000 && confirms++ < times ? late : sound)(...trial),
    );
    const searched = trials.filter((it) => it.purpose === "search" && it.passed).map((it) => it.rate);
    assertEquals([outcome, rate], [times === 1 ? "found" : "at least", Math.max(...searched)]);
    assertEquals(trials.filter((it) => it.purpose === "confirm").map((it) => it.passed), [
      false,
      times === 1,
    ]);
  }
});

test("a server that is too slow has failed, late generator or not", async () => {
  const stopped = await search({ capacity: 3000, stop: (_, rate) => rate > 3500 ? STOP : undefined });
  const { outcome, rate, trials } = stopped;
  assert(outcome === "found" && rate! <= 3000 && rate! > 2800, `${outcome} ${rate}`);
  const { reasons, reason_codes } = trials.find((it) => it.rate === 4000)!;
  assertEquals([reasons, reason_codes], [["p99<5ms not kept"], ["not-kept"]]);
});

test("what broke a condition is the send lag only if the other parts of the response keep it without", () => {
  /** What broke it, if of 1000 lines some take this long, in ms, and the others nearly nothing. */
  const brokenBy = (
    text: string,
    slow: (line: number) => { lag?: number; blocked?: number; service?: number; connect?: number },
  ) => {
    const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false });
    const interval = Object.assign(new LoadInterval(), { to: 1000, planned: 1000, sent: 1000 });
    for (let line = 0; line < 1000; line++) {
      const { lag = 0.1, blocked = 0, service = 0.1, connect } = slow(line);
      interval.received++;
      interval.sendLag.record(lag * 1000);
      interval.blocked.record(blocked * 1000);
      interval.service.record(service * 1000);
      if (connect !== undefined) interval.connect.record(connect * 1000);
      interval.response.record((lag + blocked + service + (connect ?? 0)) * 1000);
    }
    stats.add(interval);
    const condition = parseThresholdOf(LOAD_METRICS, text);
    const { passed, reason_codes } = judgeTrial(
      { rate: 1000, purpose: "search", cutShort: false, stats },
      condition,
    );
    return passed ? "nothing" : reason_codes.includes("generator-late") ? "lag" : "server";
  };
  const first = <T>(lines: number, slow: T) => (line: number) => line < lines ? slow : {};
  for (
    const text of ["p99<5ms", "response.p99<=5ms", "latency.p99<5ms", "max<5ms", "avg<1ms", "p99.99<5ms"]
  ) {
    assertEquals(brokenBy(text, first(120, { lag: 109 })), "lag", text);
    assertEquals(brokenBy(text, first(120, { blocked: 109 })), "server", text);
    assertEquals(brokenBy(text, first(120, { lag: 109, blocked: 50 })), "server", text);
    assertEquals(brokenBy(text, first(120, { lag: 109, service: 50 })), "server", text);
    assertEquals(brokenBy(text, (line) => ({ lag: line < 120 ? 109 : 0.1, connect: 50 })), "server", text);
  }
  // One in a hundred lines may take longer: neither part has more of them, both together do.
  const apart = (line: number) =>
    line < 120 ? { lag: 109 } : line < 128 ? { blocked: 9 } : line < 136 ? { service: 9 } : {};
  assertEquals(brokenBy("p99<5ms", apart), "server");
  assertEquals(brokenBy("p99<5ms", (line) => line >= 128 ? {} : apart(line)), "lag");
  assertEquals(brokenBy("p99<5ms", (line) => line >= 120 && line < 128 ? {} : apart(line)), "lag");
  // The usual lag is in every run.
  assertEquals(brokenBy("p99<5ms", () => ({ lag: 0.4, service: 4.7 })), "server");
  for (const text of ["service.p99<5ms", "blocked.p99<5ms"]) {
    assertEquals(brokenBy(text, first(120, { lag: 109 })), "nothing");
    assertEquals(brokenBy(text, first(120, { lag: 109, service: 9, blocked: 9 })), "server");
  }
  assertEquals(brokenBy("send_lag.p99<5ms", first(120, { lag: 109 })), "server");
});

test("a condition that no rate keeps ends the search without one", async () => {
  const { outcome, rate, trials } = await search({ capacity: 1e6, lost: () => 1 });
  assertEquals([outcome, rate], ["none", null]);
  assert(trials.at(-1)!.rate < 0.2 && trials.length < 40);
});

test("a search that is interrupted tells what had passed by then", async () => {
  for (const at of [1, 4, 12]) {
    const stop = new AbortController();
    const runs: Run[] = [];
    const run = trialsOf({ capacity: 6000 }, runs);
    const condition = parseThresholdOf(LOAD_METRICS, "p99<5ms");
    const { outcome, rate, trials } = await find({ condition, signal: stop.signal }, async (...trial) => {
      const stats = await run(...trial);
      if (runs.length === at) stop.abort();
      return stats;
    });
    assertEquals([outcome, trials.length, trials.at(-1)!.passed], ["interrupted", at, false]);
    assertEquals(trials.at(-1)!.reason_codes, ["interrupted"]);
    assertEquals(rate, at === 1 ? null : at === 4 ? 4000 : rate);
    if (at === 12) assert(rate! >= 5000 && rate! <= 6000);
  }
});

test("with Poisson arrivals the rate found is that at which the queue's own p99 meets the limit", async () => {
  // M/D/1 of 1 ms: the 99th percentile is 10 ms at a load of 80%; 10 s are short enough for chance to matter.
  const { outcome, rate } = await search({ capacity: 1000, poisson: true }, { text: "p99<10ms", rate: 500 });
  assertEquals(outcome, "found");
  assert(rate! > 680 && rate! < 850, `${rate}`);
});

test("conditions on averages, maxima and counts are searched for too", async () => {
  for (const text of ["avg<5ms", "max<5ms", "p50<=5ms", "response.p99<5ms", "lost<=0"]) {
    const lost = text === "lost<=0" ? (rate: number) => rate > 2000 ? 1 : 0 : undefined;
    const { outcome, rate, trials } = await search({ capacity: 2000, ...lost && { lost } }, { text });
    const over = trials.find((it) => it.rate === 4000)!;
    // Half of the lines can be above the limit for half of the trial.
    assertEquals([over.passed, over.cut_short, over.duration < 10], [
      false,
      text !== "p50<=5ms",
      over.cut_short,
    ], text);
    assert(outcome === "found" && rate! <= 2001 && rate! > 1880, `${text}: ${outcome} ${rate}`);
  }
});

test("a trial that was cut short says that it could not pass any more, one that ended what it had too few of", () => {
  const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false });
  const interval = Object.assign(new LoadInterval(), { to: 1000, planned: 1003, sent: 1003 });
  for (; interval.received < 1003; interval.received++) {
    interval.response.record(interval.received < 3 ? 20_000 : 1000);
  }
  stats.add(interval);
  const condition = parseThresholdOf(LOAD_METRICS, "p99.99<5ms");
  const reasonsOf = (cutShort: boolean) =>
    judgeTrial({ rate: 1000, purpose: "search", cutShort, stats }, condition).reasons;
  assertEquals(reasonsOf(true), ["p99.99<5ms can no longer be kept"]);
  assertEquals(reasonsOf(false), ["that takes 10000 values, and there were 1003"]);
  interval.unsent = 517;
  interval.planned += 517;
  const few = new LoadStats({ loop: "open", timeout: 5000, stages: false });
  few.add(interval);
  const { reasons } = judgeTrial({ rate: 1000, purpose: "search", cutShort: true, stats: few }, condition);
  assertEquals(reasons[0], "only 66.0% of the lines were sent");
});

test("a trial's percentile that lines without a reply leave no room for is not known", () => {
  const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false });
  const interval = Object.assign(new LoadInterval(), { to: 1000, planned: 1000, sent: 1000, lost: 20 });
  for (interval.received = 0; interval.received < 980; interval.received++) interval.response.record(1000);
  stats.add(interval);
  const condition = parseThresholdOf(LOAD_METRICS, "p99<5s");
  const trial = judgeTrial({ rate: 1000, purpose: "search", cutShort: false, stats }, condition);
  assertEquals([trial.p50, trial.p99, trial.passed], [0.001, null, false]);
});
