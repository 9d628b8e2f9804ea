/**
 * Load's figures beside truths that only hold on a machine that leaves the processes alone: these run by themselves, and
 * again if something else had the processor meanwhile.
 */
import { assert, assertEquals } from "@std/assert";
import { StagesSchedule } from "../probe/schedule.ts";
import { BALANCED_PAIR_NEEDS, BalancedPair } from "./balanced_pair.ts";
import { e2e as test } from "./harness.ts";
import { cpuSeconds, run, Running, ServerProcess } from "./helpers.ts";
import { QueueingRelay } from "./load_peers.ts";
import { LoadRun, type SavedLoad, sum, valuesOf } from "./load_runs.ts";
import { DelayingRelay } from "./peers.ts";

/** What is in the way of a measurement on this machine: other programs, and moments in which no program runs. */
class Disturbance {
  /** What other programs use, in processors, between {@linkcode begin} and {@linkcode end}. */
  used = NaN;
  /** The longest time, in ms, by which a timer of this process was late meanwhile. */
  stall = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #pids: number[] = [];
  #at = NaN;
  #before = NaN;

  /** @param own the processes of the test, besides this one; they run until the end. */
  async begin(...own: number[]): Promise<void> {
    this.#pids = [Deno.pid, ...own];
    let due = this.#at = performance.now();
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      const now = performance.now();
      this.stall = Math.max(this.stall, now - due - WATCH_MS);
      due = now;
    }, WATCH_MS);
    this.#before = await this.#seconds();
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    this.used = (await this.#seconds() - this.#before) / (performance.now() - this.#at) * 1000;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watch);
  }

  async #seconds(): Promise<number> {
    const [user, nice, system, , , irq, softirq, steal] = (await run(["head", "-n1", "/proc/stat"])).stdout
      .trim().split(/ +/).slice(1).map(Number);
    const own = await Promise.all(this.#pids.map(cpuSeconds));
    return (user! + nice! + system! + irq! + softirq! + steal!) / 100 - sum(own);
  }
}

/** Programs that use more than this, and stalls that are longer, can be in the way of a measurement. */
const MAX_OTHERS = 0.15;
const MAX_STALL_MS = 10;
const WATCH_MS = 2;

/**
 * Measures up to three times until it succeeds: what a machine does besides is not all seen. If something was in the way
 * every time, it says so and decides nothing.
 */
async function undisturbed(measure: (others: Disturbance) => Promise<void>): Promise<void> {
  let failure: unknown;
  for (let left = 3; left > 0; left--) {
    using others = new Disturbance();
    try {
      return await measure(others);
    } catch (error) {
      const { used, stall } = others;
      if (!(used > MAX_OTHERS || stall > MAX_STALL_MS)) failure = error;
      const reason = (error as Error).message.slice(0, 300);
      console.log(`others used ${used.toFixed(2)} processors, stall ${Math.round(stall)} ms; ${reason}`);
    }
  }
  if (failure !== undefined) throw failure;
  console.log("nothing is decided");
}

const TOLERANCE_MS = 40;

/** Asserts a figure in seconds, by a truth in ms. */
function assertNear(told: number | null | undefined, truth: number, what: string): void {
  const millis = (told ?? NaN) * 1000;
  assert(Math.abs(millis - truth) <= TOLERANCE_MS, `${what}: ${millis} ms, not ${truth} ms`);
}

/** Each of these takes some seconds in which nothing else may run. */
const LONG = { level: "long" } as const;

test(
  "a server that stands still is in the figures of an open loop with all lines that would have waited",
  LONG,
  () =>
    undisturbed(async (others) => {
      await using server = await ServerProcess.start(["--quiet"]);
      const url = `127.0.0.1:${server.port}`;
      const common = ["-c", "50", "-s", "32", "-t", "10", url];
      await using open = await LoadRun.start(["-R", "2000", ...common]);
      await using closed = await LoadRun.start(["--think", "50ms", ...common]);
      await others.begin(server.pid, open.pid, closed.pid);
      await Promise.all([open.seconds(2), closed.seconds(2)]);
      server.kill("SIGSTOP");
      const stopped = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const stall = performance.now() - stopped;
      server.kill("SIGCONT");
      await Promise.all([open.seconds(9), closed.seconds(9)]);
      await others.end();
      const saved = { open: await open.saved(), closed: await closed.saved() };

      const { response, service, servers: [only], planned, received } = saved.open.end;
      assertEquals([planned, received], [20_000, 20_000]);
      const { up, down } = only!;
      for (const [what, figures] of Object.entries({ response, service, up })) {
        assertNear(figures?.p95, stall - 500, `${what} p95`);
        assertNear(figures?.p99, stall - 100, `${what} p99`);
        assertNear(figures?.max, stall, `${what} max`);
      }
      assertNear(down?.p99, 0, "down p99");
      assertNear(response?.p50, 0, "response p50");

      // The closed loop stopped asking: a line of each connection waited, and no other one.
      const waited = valuesOf(saved.closed.seconds.flatMap((it) => it.service?.histogram ?? [])).filter((
        it,
      ) => it * 1000 > stall / 2);
      assertEquals(waited.length, 50);
      assert(saved.closed.end.service!.p95! * 1000 < stall / 4, JSON.stringify(saved.closed.end.service));
    }),
);

/** Response times in ms of a plan's lines before one server that takes so long for each (Lindley 1952). */
function lindley(planned: number[], millis: number): number[] {
  let wait = 0;
  return planned.map((at, i) => {
    if (i > 0) wait = Math.max(0, wait + millis - (at - planned[i - 1]!));
    return wait + millis;
  });
}

/** All moments of a schedule. */
function momentsOf(schedule: StagesSchedule): number[] {
  const moments = [];
  for (let next; (next = schedule.next()) !== undefined;) moments.push(next);
  return moments;
}

test(
  "in front of a queue of one server each line waits as Lindley's recursion says",
  LONG,
  () =>
    undisturbed(async (others) => {
      await using server = await ServerProcess.start(["--quiet"]);
      await using queue = new QueueingRelay(server.port, 10);
      const args = [
        "-R",
        "90",
        "--arrivals",
        "poisson",
        "--seed",
        "14",
        "-c",
        "5",
        "-t",
        "10",
        "--warmup",
        "0",
      ];
      await using load = await LoadRun.start([...args, `127.0.0.1:${queue.port}`]);
      await others.begin(server.pid, load.pid);
      await load.seconds(9);
      await others.end();
      const { seconds, end } = await load.saved();
      const planned = momentsOf(
        StagesSchedule.constant(90, 10_000, { arrivals: "poisson", seed: 14 }),
      );
      const truth = lindley(planned, 10);
      assertEquals([end.planned, end.received], [truth.length, truth.length]);

      const told = valuesOf(seconds.flatMap((it) => it.response?.histogram ?? [])).map((it) => it * 1000);
      const off = truth.toSorted((a, b) => a - b).map((it, i) => Math.abs(told[i]! - it)).sort((a, b) =>
        a - b
      );
      const p99 = off[Math.floor(0.99 * off.length)]!;
      const hint = `${p99} ms off, the queue was up to ${queue.maxLate} ms late`;
      assert(p99 <= 5, hint);
      // The same of each second's lines, so that it is not only the right values at wrong times.
      for (const { from, to, response } of seconds) {
        const own = truth.filter((it, i) => planned[i]! + it >= from * 1000 && planned[i]! + it < to * 1000);
        if (own.length < 20) continue;
        const average = sum(own) / own.length;
        assert(
          Math.abs(response!.avg * 1000 - average) <= 6,
          `${response!.avg * 1000}, not ${average}, ${hint}`,
        );
      }
      // The relay holds lines before the server reads them.
      const [{ up, down }] = end.servers as [SavedLoad["end"]["servers"][number]];
      assert(up!.p90! > 0.5 * end.response!.p90! && down!.p90! < 0.005, JSON.stringify({ up, down }));
    }),
);

test(
  "a way back that keeps half of the replies for 20 ms is told as downstream delay",
  LONG,
  () =>
    undisturbed(async (others) => {
      await using server = await ServerProcess.start(["--tag", "web-1"]);
      let turn = 0;
      await using relay = new DelayingRelay(server.port, { up: () => 0, down: () => turn++ % 2 * 20 });
      for (const loop of [["-R", "100"], ["--think", "40ms"]]) {
        await using load = await LoadRun.start([...loop, "-c", "4", "-t", "2", `127.0.0.1:${relay.port}`]);
        await others.begin(server.pid, load.pid);
        await load.seconds(1);
        await others.end();
        const { end } = await load.saved();
        const [{ tag, up, down }] = end.servers as [SavedLoad["end"]["servers"][number]];
        const told = JSON.stringify({ up, down });
        assertEquals(tag, "web-1");
        assert(down!.p90! > 0.019 && down!.p90! < 0.03, told);
        assert(up!.p90! < 0.005, told);
        assert((end.response ?? end.service)!.p90! > 0.02, told);
      }
    }),
);

test(
  "of two servers behind a balancer only the slow one is told as slow",
  { ...LONG, needs: BALANCED_PAIR_NEEDS },
  () =>
    undisturbed(async (others) => {
      await using pair = await BalancedPair.start(60);
      await using load = await LoadRun.start(["-R", "200", "-c", "20", "-t", "3", `127.0.0.1:${pair.port}`]);
      await others.begin(load.pid);
      await load.seconds(2);
      await others.end();
      const { end: { servers } } = await load.saved();
      const told = JSON.stringify(servers);
      const [fast, slow] = servers;
      assert(slow!.down!.p50! > 0.02 && slow!.up!.p90! < 0.01, told);
      assert(fast!.down!.p90! < 0.01 && fast!.up!.p90! < 0.01, told);
    }),
);

const RATE = ["-R", "2000", "-c", "20", "-t", "3"];
const GENERATOR = ["taskset", "-c", "0"];
const SERVER = ["taskset", "-c", "1"];
const ON_TWO_CORES = { ...LONG, needs: ["taskset"], ignore: navigator.hardwareConcurrency < 2 };

test(
  "a generator that shares its core with a busy program says that it could not keep up",
  ON_TWO_CORES,
  async () => {
    await using server = await ServerProcess.start(["--quiet"], SERVER);
    await using _busy = new Running([...GENERATOR, "sh", "-c", "while :; do :; done"]);
    await using load = await LoadRun.start([...RATE, `127.0.0.1:${server.port}`], GENERATOR);
    const { end } = await load.saved();
    assert(["strained", "limited"].includes(end.generator.verdict), JSON.stringify(end.generator));
    assert(end.generator.reasons.length > 0);
  },
);

/** A machine that holds up every program for some milliseconds now and then, as small virtual ones do, strains any. */
const TRIES = 3;

test("a generator that has a core of its own is ok, and never limited", ON_TWO_CORES, async () => {
  for (let tries = 0; tries < TRIES; tries++) {
    using others = new Disturbance();
    await using server = await ServerProcess.start(["--quiet"], SERVER);
    await using load = await LoadRun.start([...RATE, `127.0.0.1:${server.port}`], GENERATOR);
    await others.begin(server.pid, load.pid);
    await load.seconds(2);
    await others.end();
    const { end } = await load.saved();
    const { verdict, reasons } = end.generator;
    if (verdict === "ok") return;
    console.log(reasons.join());
    const disturbed = others.used > MAX_OTHERS || others.stall > MAX_STALL_MS || end.send_lag!.max > 0.1;
    assert(verdict === "strained" || disturbed, reasons.join());
  }
  console.log("nothing is decided");
});
