/** What load counts of lines and connections, exactly: in virtual time, with servers that fail as they are told. */
import { assert, assertEquals } from "@std/assert";
import type { LoadOptions } from "../load/options.ts";
import { Recorder } from "../load/recorder.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { test } from "./harness.ts";
import { type Faults, LoadWorld } from "./load_world.ts";
import { randomFrom } from "./simulation.ts";

async function run(options: LoadOptions & { datagrams?: boolean }, faults: Partial<Faults> = {}, seed = 1) {
  const world = new LoadWorld(faults, randomFrom(seed));
  const intervals = await world.run(options);
  const sum = new LoadInterval();
  for (const it of intervals) sum.extend(it);
  const { planned, sent, received, lost, late, dropped, unsent, corrupt, duplicates } = sum;
  const counts = { planned, sent, received, lost, late, dropped, unsent, corrupt, duplicates };
  return { world, intervals, sum, counts, errors: Object.fromEntries(sum.errors) };
}

for (const datagrams of [false, true]) {
  test(
    `replies that are dropped, changed or come twice are counted exactly over ${
      datagrams ? "datagrams" : "streams"
    }`,
    { level: "heavy" },
    async () => {
      const faults = { drop: 0.03, change: 0.03, duplicate: 0.03, delay: 50, slow: datagrams ? 0.1 : 0 };
      const { world: { done }, counts } = await run(
        { rate: 1000, count: 1500, connections: 5, timeout: 300, datagrams },
        faults,
      );
      assert(done.dropped > 20 && done.changed > 20 && done.duplicated > 20);
      const { lost, corrupt, duplicates, received } = counts;
      assertEquals([lost, corrupt, duplicates], [done.dropped, done.changed, done.duplicated]);
      assertEquals(received, 1500 - lost - corrupt);
    },
  );
}

test(
  "a reply to a lost line is late, and those behind it are in their places",
  { level: "heavy" },
  async () => {
    for (const datagrams of [false, true]) {
      // Each reply takes 0 to 1000 ms, of which 200 are too long for some.
      const { counts } = await run(
        { connections: 4, rate: 20, count: 400, timeout: 200, datagrams },
        { delay: 1000, slow: 0.2 },
      );
      assert(counts.lost > 20);
      // The last ones come when no line waits any more.
      assert(
        counts.late >= counts.lost - 10 && counts.late <= counts.lost,
        `${counts.late} of ${counts.lost}`,
      );
      assertEquals([counts.received + counts.lost, counts.corrupt], [400, 0]);
    }
  },
);

test("a line is lost when its time-out has passed, and not before", async () => {
  const { intervals } = await run(
    { connections: 1, rate: 1, count: 1, timeout: 1500, warmup: 0 },
    { drop: 1 },
  );
  assertEquals(
    intervals.map(({ to, tail, sent, lost, inFlight }) => [Math.floor(to / 100), tail, sent, lost, inFlight]),
    [
      [10, false, 1, 0, 1],
      [15, true, 0, 1, 0],
    ],
  );
});

test("what exceeds the lines that may be in flight is dropped", async () => {
  const { counts } = await run(
    { connections: 2, rate: 100, duration: 1000, maxInFlight: 10, timeout: 5000 },
    { drop: 1 },
  );
  assertEquals([counts.planned, counts.sent, counts.dropped, counts.lost], [100, 10, 90, 10]);
});

test("lines that a blocked connection does not take within the time-out are unsent", async () => {
  const { counts, sum } = await run(
    { connections: 1, rate: 100, duration: 1000, timeout: 300 },
    { block: 1, blockFor: 800 },
  );
  assert(counts.unsent > 20 && counts.received > 0, JSON.stringify(counts));
  assertEquals(counts.planned, 100);
  assert(
    sum.blocked.max > 100_000 && sum.sendLag.max < 1000,
    "the path took no more; the generator was in time",
  );
  assertEquals(sum.unsentLate, 0);
});

test("lines are held against the generator that it was late with before they were dropped, and no others", async () => {
  for (const [how, unsentLate, verdict] of [["stall", 150, "limited"], ["block", 0, "ok"]] as const) {
    const world = new LoadWorld(how === "block" ? { block: 1, blockFor: 900 } : {}, randomFrom(1));
    const options = { connections: 1, rate: 100, duration: 3000, maxInFlight: 50, timeout: 300 };
    const stats = new LoadStats({ loop: "open", timeout: 300, stages: false });
    const intervals = await world.run(options, () => {
      if (how === "stall") void world.clock.sleep(500).then(() => world.clock.stall(2000));
    });
    for (const it of intervals) stats.add(it);
    const { dropped, unsent } = stats.total;
    assert(dropped + unsent > 100, `${dropped} and ${unsent}`);
    assertEquals([stats.total.unsentLate, stats.generator().verdict], [unsentLate, verdict]);
  }
});

test("the lines of a connection that ends go to the others, and fail only if they were written", {
  level: "heavy",
}, async () => {
  const { counts, errors, sum, world } = await run(
    { connections: 4, rate: 500, duration: 3000, timeout: 1000 },
    { end: 0.01 },
  );
  assert(world.done.ended > 5);
  const failed = Object.values(errors).reduce((all, it) => all + it, 0);
  assertEquals(counts.received + failed, counts.sent);
  assertEquals(Object.keys(errors).sort(), [
    "connection closed",
    "server said: out of order",
    "the peer reset the connection",
  ]);
  assert(sum.connect.count > 4, "they were made anew");
});

test("without a connection due lines fail at their planned moments, and connects are tried again ever more slowly", async () => {
  const world = new LoadWorld({}, randomFrom(5));
  const intervals = await world.run({ connections: 1, rate: 100, duration: 3000, timeout: 500 }, () => {
    world.faults.refuse = 1;
    void world.clock.sleep(1000).then(() => {
      for (const peer of world.peers) peer.push(new Deno.errors.ConnectionReset("reset"));
    });
  });
  const [first, second, third] = intervals as [LoadInterval, LoadInterval, LoadInterval];
  assertEquals([first.received, first.errors.size], [100, 0]);
  assertEquals([second.planned, third.planned], [100, 100]);
  assert(second.errors.get("not connected")! >= 99 && third.errors.get("not connected") === 100);
  const connects = [second, third].map((it) => it.connectErrors.get("connection refused")!);
  // Waits of 10, 20, 40 … ms, each shortened by up to a half: 5 to 8 in the first second, then 1 to 3.
  assert(connects[0]! >= 5 && connects[0]! <= 8 && connects[1]! >= 1 && connects[1]! <= 3, `${connects}`);
});

test("lines that wait for the only connection fail when it ends, written or not", async () => {
  const world = new LoadWorld({ block: 1, blockFor: 3000 }, randomFrom(5));
  const sum = new LoadInterval();
  const options = { connections: 1, rate: 100, count: 50, timeout: 5000 };
  const intervals = await world.run(options, () => {
    world.faults.refuse = 1;
    void world.clock.sleep(200).then(() => {
      for (const peer of world.peers) peer.push(new Deno.errors.ConnectionReset("reset"));
    });
  });
  for (const it of intervals) sum.extend(it);
  assertEquals([sum.planned, sum.sent, sum.unsent], [50, 50, 0]);
  assertEquals(Object.fromEntries(sum.errors), { "the peer reset the connection": 1, "not connected": 49 });
});

test("think time and a depth set the pace of a closed loop", async () => {
  const { counts } = await run({ connections: 2, depth: 3, think: 99.5, duration: 1000 }, { delay: 0 });
  // Six lines each 100 ms, as a reply takes up to a ms.
  assert(counts.sent >= 58 && counts.sent <= 66, `${counts.sent}`);
});

test("a line with its own connection waits for that in its response, and for its reply alone in its service", async () => {
  const { sum, counts } = await run(
    { connections: 50, rate: 20, count: 50, reconnect: true, timeout: 2000 },
    { connect: 400 },
  );
  assertEquals(counts.received, 50);
  assert(sum.service.max <= 1000 && sum.response.max > 200_000 && sum.response.max < 402_000);
  assertEquals([sum.blocked.max, sum.connect.count], [0, 50]);
  const parts = [sum.sendLag, sum.blocked, sum.connect, sum.service].reduce((all, it) => all + it.avg, 0);
  assert(Math.abs(sum.response.avg - parts) < 1, `${sum.response.avg} of ${parts}`);
});

test("a line whose own connection is not made fails, and one for which it takes too long is lost", async () => {
  // The first connect finds out whether there is a server.
  const world = new LoadWorld({}, randomFrom(3));
  const sum = new LoadInterval();
  const options = { connections: 5, rate: 50, count: 100, reconnect: true };
  for (const it of await world.run(options, () => world.faults.refuse = 0.3)) sum.extend(it);
  const { refused } = world.done;
  assert(refused > 10);
  assertEquals(Object.fromEntries(sum.errors), { "connection refused": refused });
  assertEquals(Object.fromEntries(sum.connectErrors), { "connection refused": refused });
  const slow = await run(
    { ...options, connections: 50, timeout: 100 },
    { connect: 200 },
    3,
  );
  assert(slow.counts.lost > 30 && slow.counts.received > 30);
  assertEquals(slow.counts.lost + slow.counts.received, 100);
});

test("a connection for one line of the warm-up is not among those that a server answered on", () => {
  const told: (string | null)[] = [];
  const nothing = () => {};
  const recorder = new Recorder(
    { onInterval: nothing, onExchange: nothing, onBegin: nothing, onServer: (tag) => told.push(tag) },
    true,
  );
  recorder.begin(1000, 5000);
  recorder.answeredBy("warm-up", 999);
  recorder.answeredBy("own", 1000);
  recorder.answeredBy("shared");
  assertEquals(told, ["own", "shared"]);
});
