/** What sends lines and learns what became of them, in virtual time and over channels without a network. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventQueue } from "../probe/event_queue.ts";
import { ProbeLines } from "../probe/lines.ts";
import { type RunSignal, type RunState, transition } from "../probe/state.ts";
import { Prober } from "../probe/prober.ts";
import { PLAN_DEFAULTS } from "../probe/run.ts";
import { isVerdict, type ProbeEvent } from "../stats/events.ts";
import { test } from "./harness.ts";
import { FakeServer, missed, startRun as start } from "./probe_helpers.ts";
import { assertProperty } from "./properties.ts";
import { VirtualClock } from "./virtual_clock.ts";

test("a probe is known by its number, however its reply is cut, and not when a byte of it has changed", () => {
  const lines = new ProbeLines(30);
  const line = lines.line(1234567890).slice();
  assertEquals(line.length, 31);
  assertEquals(lines.seqOf(line.subarray(0, 30)), 1234567890);
  for (let i = 0; i < 30; i++) {
    const changed = line.slice(0, 30);
    changed[i] = 0x21;
    assertEquals(lines.seqOf(changed), 0, `byte ${i}`);
  }
  assertEquals(lines.seqOf(line), 0);
  assertEquals(new ProbeLines(30).seqOf(line.subarray(0, 30)), 0); // another run
});

const PHASES = ["opening", "sending", "draining", "over"];
const signals: fc.Arbitrary<RunSignal> = fc.oneof(
  fc.constantFrom<RunSignal["type"]>("opened", "all sent", "all known", "stop", "expire")
    .map((type) => ({ type }) as RunSignal),
  fc.constantFrom("reset", "closed").map((reason) => ({ type: "fail" as const, reason })),
);

test("whatever the order of its signals, a run never goes back, is done only when all is known, and ends once", () => {
  assertProperty(fc.property(fc.array(signals), (order) => {
    let state: RunState = { phase: "opening" };
    for (const signal of order) {
      const next = transition(state, signal);
      const [from, to] = [state, next].map(({ phase }) => PHASES.indexOf(phase));
      const ends = ["stop", "expire", "fail"].includes(signal.type);
      if (state.phase === "over") assertEquals(next, state);
      else if (ends) assertEquals(next.phase, "over");
      else assert(to! - from! === 0 || to! - from! === 1, JSON.stringify({ state, signal, next }));
      if (next.phase === "over" && next.cause === "done" && state.phase !== "over") {
        assertEquals([state.phase, signal.type], ["draining", "all known"]);
      }
      if (next.phase === "over" && next.cause === "failed" && state.phase !== "over") {
        assertEquals(signal, { type: "fail", reason: next.reason });
      }
      state = next;
    }
  }));
});

test("each line is given up when its time-out has passed", async () => {
  const { clock, prober, events, server, ended } = await start({ count: 3 }, [undefined, 10, 400]);
  assertEquals(server.moments, [0]);
  await clock.advance(250);
  assertEquals(events, [["received", 2, 110]]);
  await clock.advance(1);
  assertEquals(events.at(-1), ["lost", 1, 251]);
  await clock.advance(199);
  assertEquals(events.length, 2);
  await clock.advance(1);
  assertEquals(events.at(-1), ["lost", 3, 451]);
  await ended; // all is known
  assertEquals([server.moments, server.closed], [[0, 100, 200], true]);
  assertEquals([prober.failure, prober.elapsed], [null, 0.451]);
  await clock.advance(1000);
  assertEquals(clock.sleeping, 0);
});

test("a run begins with its first line, however long after the path was open that is", async () => {
  const clock = new VirtualClock();
  const channel = new FakeServer(clock, [7]);
  const moments: number[] = [];
  const prober = new Prober(
    () => Promise.resolve({ channel, setup: {} }),
    { ...PLAN_DEFAULTS, count: 1 },
    ({ at }) => void moments.push(at),
    clock,
  );
  await prober.open();
  await clock.advance(55);
  const ended = prober.run();
  await clock.advance(10);
  await ended;
  assertEquals(moments, [0.007]);
});

test("a reply after the time-out is late, and a line waits for no more than its own time-out", async () => {
  const { clock, events, prober, ended } = await start({}, [300, 1]);
  await clock.advance(320);
  assertEquals(events, [
    ["received", 2, 101],
    ["received", 3, 201],
    ["lost", 1, 251],
    ["late", 1, 300],
    ["received", 4, 301],
  ]);
  prober.stop();
  await ended;
});

test("a reply is in time up to its line's time-out, to the nanosecond, and late after that however busy ping is", async () => {
  const { clock, events, prober, servers, ended } = await start({ count: 2 }, [250, undefined]);
  await clock.advance(250);
  assertEquals(events, [["received", 1, 250]]);
  // Its reply is read before its timer.
  const line = servers[0]!.lines[1]!;
  clock.stall(101);
  servers[0]!.push(line);
  await clock.advance(0);
  assertEquals(events.slice(1), [["lost", 2, 351], ["late", 2, 351]]);
  await ended;
  assertEquals(prober.failure, null);
});

test("without a schedule each reply sends the next line, and so does each time-out", async () => {
  const { clock, events, server, ended } = await start({ interval: 0, count: 5 }, [5, 5, undefined, 5]);
  await clock.advance(15);
  assertEquals(server.moments, [0, 5, 10]);
  await clock.advance(1000);
  await ended;
  assertEquals(server.moments, [0, 5, 10, 261, 266]);
  assertEquals(events.map(([fate, , at]) => [fate, at]), [
    ["received", 5],
    ["received", 10],
    ["lost", 261],
    ["received", 266],
    ["received", 271],
  ]);
});

test("the deadline ends a run at its moment: lines whose time-out has not passed are not waited for", async () => {
  const { clock, events, prober, ended } = await start({ deadline: 330 }, [20, undefined, 20, undefined]);
  await clock.advance(329);
  assert(!prober.expired);
  await clock.advance(1);
  await ended;
  assert(prober.expired);
  assertEquals(events, [["received", 1, 20], ["received", 3, 220], ["pending", 2, 330], ["pending", 4, 330]]);
});

test("a server that closes ends the run, and what it said last is the reason", async () => {
  const { clock, events, prober, server, ended } = await start({}, [1, undefined]);
  await clock.advance(110);
  server.push(new TextEncoder().encode("error: enough\n"));
  server.push(null);
  await ended;
  assertEquals(prober.failure, "the server says: enough");
  assertEquals(events, [["received", 1, 1], ["lost", 2, 110]]);
});

test("what looks like a server's last words is a corrupt reply if another reply follows", async () => {
  const { clock, events, prober, server, ended } = await start({}, [undefined, 5]);
  server.push(new TextEncoder().encode("error: enough\nbegun"));
  server.push(new TextEncoder().encode(" and ended\n"));
  await clock.advance(150);
  server.push(null);
  await ended;
  assertEquals(prober.failure, "the server closed the connection");
  assertEquals(events, [["corrupt", 0, 0], ["corrupt", 0, 105], ["received", 2, 105], ["lost", 1, 150]]);
});

test("what passes in ping itself until a line is written is lag, and blocked only what an earlier write holds up", async () => {
  const { clock, told, server, ended } = await start({ count: 4 }, [1]);
  let readings = 0;
  const now = clock.now.bind(clock);
  clock.now = () => now() + 0.001 * readings++; // each step of the program takes a moment
  await clock.advance(100);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.blocked = promise;
  await clock.advance(250);
  server.blocked = undefined;
  resolve();
  await clock.advance(300);
  await ended;
  const times = told.filter(isVerdict).sort((a, b) => a.seq - b.seq);
  assertEquals(times.slice(0, 3).map((it) => it.blocked), [0, 0, 0]);
  assert(times[1]!.lag! > 0 && times[2]!.lag! > 0, JSON.stringify(times));
  assert(Math.abs(times[3]!.blocked! - 50_000) < 1000, JSON.stringify(times));
});

test("an observer that is at work holds the next line back, and the moments that pass are missed", async () => {
  const { promise: atWork, resolve: done } = Promise.withResolvers<void>();
  const observe = ({ seq }: ProbeEvent) => seq === 2 ? atWork : undefined;
  const { clock, prober, told, server, ended } = await start({}, [1], observe);
  await clock.advance(650);
  assertEquals(server.moments, [0, 100]);
  done();
  await clock.advance(60);
  // That of 600 is sent late; those from 200 to 500 are given up.
  assertEquals(server.moments, [0, 100, 650, 700]);
  assertEquals(told.filter(({ fate }) => fate === "missed"), [
    { fate: "missed", seq: 0, at: 0.65, count: 4, reason: "the reader of the output was slow" },
  ]);
  prober.stop();
  await ended;
});

test("with a channel for each line a run opens them in parallel, but no more than 256", async () => {
  const plan = { reconnect: true, interval: 1, timeout: 1000, count: 1000 };
  const { clock, told, prober, servers, ended } = await start(plan, [undefined]);
  await clock.advance(990);
  assertEquals([servers.length, servers.filter(({ closed }) => closed).length], [256, 0]);
  assertEquals([prober.sent, missed(told)], [256, 991 - 256]);
  await clock.advance(20); // the first ones time out, others take their places
  assert(servers.length > 256 && servers.filter(({ closed }) => !closed).length <= 256, `${servers.length}`);
  prober.stop();
  await ended;
  assertEquals([servers.length, servers.every(({ closed }) => closed)], [prober.sent, true]);
  assert(told.every((it) => it.fate !== "missed" || it.reason === "256 connections are open"));
});

test("a queue gives events in order, tells when its consumer is done, and gives the last ones after its end", async () => {
  const event = (seq: number): ProbeEvent => ({ fate: "lost", seq, at: 0 });
  const queue = new EventQueue();
  const seen: number[] = [];
  let [done, work] = [0, Promise.withResolvers<void>()];
  const consuming = (async () => {
    for (let events; (events = await queue.take()).length > 0;) {
      for (const { seq } of events) {
        seen.push(seq);
        await work.promise;
      }
    }
  })();
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await settle();
  for (const seq of [1, 2]) void queue.push(event(seq))!.then(() => done++);
  await settle();
  assertEquals([seen, done], [[1], 0]); // at work on the first
  work.resolve();
  await settle();
  assertEquals([seen, done], [[1, 2], 2]);
  work = Promise.withResolvers();
  void queue.push(event(3));
  queue.end();
  assertEquals(queue.push(event(4)), undefined);
  work.resolve();
  await consuming;
  assertEquals(seen, [1, 2, 3, 4]);
});
