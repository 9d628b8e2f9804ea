/** Delays of each direction from the exchanges of many connections, by server, in each second and over the whole run. */
import { assert, assertEquals } from "@std/assert";
import type { Distribution } from "../stats/distribution.ts";
import { LoadDirections, type ServerDirections } from "../stats/load_directions.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { LoadStats } from "../stats/load_stats.ts";
import { OTHER_TAGS } from "../stats/server_stats.ts";
import { test } from "./harness.ts";
import { exponential, seeded } from "./paths.ts";

const ORIGIN = 1.7e15;

/** A server behind 50 connections: its delays above the best, and its clock, in µs; moments in ms. */
interface Path {
  tag: string | null;
  /** How far the clock of the thread that sends is off the run's. */
  clockError?: number;
  up: (at: number) => number;
  down: (at: number) => number;
  offset: (at: number) => number;
  lines?: number;
}

/** A run of so many seconds in which each path has 1,000 exchanges a second, read in order but not written in order. */
function runOf(seconds: number, paths: Path[], clockError = 0) {
  const random = seeded(5);
  const stats = new LoadStats({
    ...{ loop: "open", timeout: 5000, stages: false },
    directions: () => directions.servers(),
  });
  let interval = new LoadInterval();
  const directions = new LoadDirections(ORIGIN, interval, () => clockError / 1000);
  const truth = new Map(paths.map((it) => [it, { up: [] as number[], down: [] as number[] }]));
  const exchanges = paths.flatMap((path) =>
    Array.from({ length: seconds * 1000 }, (_, i) => {
      const written = i + random();
      const [up, down] = [path.up(written), path.down(written)];
      for (let line = 0; line < (path.lines ?? 1); line++) {
        truth.get(path)!.up.push(up);
        truth.get(path)!.down.push(down);
      }
      const stamped = written + (30 + up) / 1000;
      return { path, written, stamped, read: stamped + (40 + down) / 1000 };
    })
  ).sort((a, b) => a.read - b.read);
  for (const { path, written, stamped, read } of exchanges) {
    while (read >= interval.from + 1000) {
      interval.to = interval.from + 1000;
      const next = new LoadInterval();
      next.from = interval.to;
      directions.endInterval(next);
      stats.add(interval);
      interval = next;
    }
    const stamp = Math.floor(ORIGIN + stamped * 1000 + path.offset(stamped));
    const off = (path.clockError ?? 0) / 1000;
    directions.add(path.tag, written + off, stamp, read + off, path.lines);
  }
  directions.endInterval(new LoadInterval());
  stats.add(interval);
  return { stats, truth };
}

function assertLike(values: Distribution, truth: number[], what: string, tolerance = 4): void {
  assertEquals(values.count, truth.length, what);
  const sorted = Float64Array.from(truth).sort();
  for (const percent of [50, 90, 99]) {
    const wanted = sorted[Math.ceil(sorted.length * percent / 100) - 1]!;
    const told = values.percentile(percent);
    assert(Math.abs(told - wanted) <= tolerance + wanted / 500, `${what} p${percent}: ${told} for ${wanted}`);
  }
}

test("two servers behind one address are told apart, each with its queue in the right direction", {
  level: "heavy",
}, () => {
  const random = seeded(6);
  const fast: Path = {
    tag: "fast",
    up: () => exponential(random, 20),
    down: () => exponential(random, 10),
    offset: (at) => 5000 + at / 1000 * 2, // 2 ppm
  };
  const slow: Path = {
    tag: "slow",
    up: () => exponential(random, 20),
    down: () => exponential(random, 20) + (random() < 0.1 ? 20_000 : 0),
    offset: (at) => -1e6 - at / 1000 * 100,
    lines: 3,
  };
  const { stats, truth } = runOf(20, [fast, slow]);
  const servers = stats.directions();
  assertEquals(servers.map(({ tag }) => tag), ["fast", "slow"]);
  for (const [path, { up, down }] of truth) {
    const server = servers.find(({ tag }) => tag === path.tag)!;
    assertLike(server.up!, up, `${path.tag} up`);
    assertLike(server.down!, down, `${path.tag} down`);
    const offset = server.offset!;
    assert(
      Math.abs(offset.value * 1e6 - path.offset(20_000)) <= offset.bound * 1e6 + 2,
      JSON.stringify(offset),
    );
    assert(offset.bound < 50e-6);
    // The seconds' parts are counted above what was known by then: a drift shows after some seconds only.
    const part = stats.total.servers.get(path.tag)!;
    assertLike(part.up, up, `${path.tag} up of the seconds`, 15);
    assertLike(part.down, down, `${path.tag} down of the seconds`, 15);
  }
});

test("the offset's bound has room for what is not known of a thread's clock, and the delays have none", {
  level: "heavy",
}, () => {
  const random = seeded(8);
  const path: Path = {
    tag: null,
    up: () => exponential(random, 20),
    down: () => exponential(random, 20),
    offset: () => 5000,
  };
  /** The offset's bound in µs, with lines of two threads whose clocks are off by so much. */
  const boundWith = (clockError: number) => {
    const paths = [{ ...path, clockError }, { ...path, clockError: -clockError / 2 }];
    const { stats, truth } = runOf(2, paths, clockError);
    const [{ up, down, offset, unsteady }] = stats.directions() as [ServerDirections];
    assertEquals(unsteady, null);
    const all = [...truth.values()];
    assertLike(up!, all.flatMap((it) => it.up), "up", 4 + 2 * clockError);
    assertLike(down!, all.flatMap((it) => it.down), "down", 4 + 2 * clockError);
    const { value, bound } = offset!;
    assert(Math.abs(value * 1e6 - 5000) <= bound * 1e6, `${value * 1e6} ± ${bound * 1e6}`);
    return bound * 1e6;
  };
  // A round trip of 70 µs at least.
  const sure = boundWith(0);
  assert(sure < 45, `${sure}`);
  const unsure = boundWith(50);
  assert(unsure > 50 && unsure < sure + 51, `${unsure}`);
});

test(
  "a server's clock that is stepped in a run changes nothing of the delays, in its second or over the run",
  { level: "heavy" },
  () => {
    const random = seeded(7);
    const path: Path = {
      tag: null,
      up: () => exponential(random, 50),
      down: () => exponential(random, 30),
      offset: (at) => at < 6500 ? 0 : 300_000,
    };
    const { stats, truth } = runOf(10, [path]);
    const { up, down } = truth.get(path)!;
    const [server] = stats.directions();
    assertLike(server!.up!, up, "up");
    assertLike(server!.down!, down, "down");
    assert(Math.abs(server!.offset!.value - 0.3) < 0.001);
    const part = stats.total.servers.get(null)!;
    assertLike(part.up, up, "up of the seconds");
    assertLike(part.down, down, "down of the seconds");
  },
);

test("lines that wait together in a short run are no clock that was stepped", () => {
  const directions = new LoadDirections(ORIGIN, new LoadInterval());
  const random = seeded(8);
  // 50 connections, 20 times each: at first all wait on the way up, then on the way down.
  for (let round = 0; round < 20; round++) {
    const wait = 300 + 20 * random();
    const [up, down] = round < 10 ? [wait, 20] : [20, wait];
    for (let i = 0; i < 50; i++) {
      const written = 0.4 * round + i / 1000;
      const stamped = written + (30 + up + exponential(random, 3)) / 1000;
      const read = stamped + (40 + down + exponential(random, 3)) / 1000;
      directions.add(null, written, Math.floor(ORIGIN + 1000 * stamped), read);
    }
  }
  const [{ unsteady, offset }] = directions.servers() as [ServerDirections];
  assertEquals(unsteady, null);
  assert(offset!.bound < 100e-6, `${offset!.bound}`); // what all replies prove, not what one does
});

test("a step of a clock that hides in the round trips is told of a run that is long enough", () => {
  const random = seeded(9);
  const path: Path = {
    tag: null,
    up: () => exponential(random, 5),
    down: () => exponential(random, 5),
    offset: (at) => at < 5000 ? 0 : 50, // of round trips of 70 µs
  };
  const [server] = runOf(10, [path]).stats.directions();
  assertEquals(server!.unsteady, "step");
});

test("a server of ever new tags fills no memory: of 32 the delays are found, and no clock for all others", () => {
  const directions = new LoadDirections(ORIGIN, new LoadInterval());
  const tags = Array.from({ length: 1000 }, (_, i) => `tag${i}`);
  for (const tag of [OTHER_TAGS, ...tags, OTHER_TAGS, ...tags]) directions.add(tag, 1, ORIGIN + 1100, 2);
  assertEquals(directions.servers().map(({ tag }) => tag), tags.slice(0, 32));
});
