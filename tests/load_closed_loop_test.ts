/** When a closed loop writes, with outlets that do nothing by themselves. */
import { assertEquals } from "@std/assert";
import { ClosedLoop } from "../load/closed_loop.ts";
import type { Outlet, Outlets } from "../load/connection.ts";
import { LineQueue } from "../load/line_queue.ts";
import { OutgoingLines } from "../load/outgoing_lines.ts";
import { Recorder } from "../load/recorder.ts";
import { TurnClock } from "../load/turn_clock.ts";
import { LineRing } from "../protocol.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";
import { settlePromises, VirtualClock } from "./virtual_clock.ts";

const DURATION = 1000;

/** A loop over two outlets that are filled already, and what it does from then on. */
async function world() {
  const clock = new VirtualClock(settlePromises);
  const first = new LoadInterval();
  const intervals: LoadInterval[] = [];
  const onInterval = (it: LoadInterval) => intervals.push(it);
  const observer = { onInterval, onExchange() {}, onServer() {}, onBegin() {} };
  const recorder = new Recorder(observer, false, first);
  recorder.begin(0, DURATION);
  const ring = LineRing.ofSize(10);
  const log: string[] = [];
  const writing = { millis: 0 };
  const outlets = ["a", "b"].map((name): Outlet => {
    const shared = {
      ring,
      recorder,
      connections: 1,
      timeout: 1000,
      hasOwnConnections: false,
      datagrams: false,
    };
    const outgoing = new OutgoingLines(shared, new LineQueue(), 0);
    return {
      isOpen: true,
      outgoing,
      flush() {
        log.push(`write ${outgoing.count} to ${name}`);
        outgoing.write(clock.now());
        clock.stall(writing.millis);
      },
    };
  });
  const all = { [Symbol.iterator]: () => outlets.values() } as unknown as Outlets;
  const loop = new ClosedLoop(all, recorder, clock, { depth: 2, think: 0, count: Infinity, maxRate: 0 });
  const stopped = new AbortController();
  const running = loop.run(stopped.signal);
  await settlePromises();
  log.length = 0;
  const end = async () => {
    stopped.abort();
    await running;
    ring.close();
  };
  return { clock, recorder, first, intervals, log, writing, loop, outlets, end };
}

test("what was read in one turn is all taken before the next lines are written", async () => {
  const { log, loop, outlets, end } = await world();
  const [a, b] = outlets;
  log.push("read 2 from a");
  loop.onFreed(a!, 2, 10);
  log.push("read 1 from b");
  loop.onFreed(b!, 1, 10);
  await settlePromises();
  assertEquals(log, ["read 2 from a", "read 1 from b", "write 2 to a", "write 1 to b"]);
  await end();
});

test("what was read in one turn was read at one moment, before the first of it was looked at", async () => {
  const clock = new VirtualClock(settlePromises);
  const turn = new TurnClock(clock);
  const reading = Promise.resolve();
  const moments: number[] = [];
  const take = () => {
    moments.push(turn.now());
    clock.stall(5);
  };
  await Promise.all([reading.then(take), reading.then(take).then(take)]);
  assertEquals(moments, [0, 0, 10]); // the last continues after what was read
});

test("lines that would be written after the plan's end are not, and were never planned", async () => {
  const { clock, recorder, first, loop, outlets, end } = await world();
  assertEquals([first.planned, first.sent, recorder.outstanding], [4, 4, 4]);
  loop.onFreed(outlets[0]!, 2, DURATION - 1);
  clock.stall(DURATION);
  await settlePromises();
  assertEquals([first.planned, first.sent, recorder.outstanding], [4, 4, 4]);
  assertEquals(outlets[0]!.outgoing.count, 0);
  await end();
});

test("each line is in flight from its write on, and none is written once the plan has ended between two writes", async () => {
  const { recorder, first, intervals, writing, clock, loop, outlets, end } = await world();
  const [a, b] = outlets;
  const answer = (outlet: Outlet, now: number) => {
    recorder.turn(now);
    recorder.receive(0, 0, 0, 0, now, 1, null);
    loop.onFreed(outlet, 1, now);
  };
  clock.stall(DURATION - 1);
  writing.millis = 1;
  answer(a!, DURATION - 1);
  answer(b!, DURATION - 1);
  assertEquals([first.sent, recorder.inFlight, recorder.outstanding], [4, 2, 4]);
  await settlePromises(); // written at 999 and, too late, at 1000
  assertEquals([first.planned, first.sent, first.received, first.inFlight], [5, 5, 2, 3]);
  assertEquals([intervals.length, recorder.current.sent, recorder.inFlight, recorder.outstanding], [
    1,
    0,
    3,
    3,
  ]);
  await end();
});

test("lines that are handed over when a second ends are in flight in none, and the next sends them", async () => {
  const { recorder, intervals, loop, outlets, clock, end } = await world();
  recorder.begin(0, 3 * DURATION);
  recorder.receive(0, 0, 0, 0, DURATION - 1, 2, null);
  loop.onFreed(outlets[0]!, 2, DURATION - 1);
  clock.stall(DURATION);
  recorder.turn(clock.now()); // a reply to another connection, that was read in the same turn
  await settlePromises();
  assertEquals(intervals.map((it) => [it.sent, it.received, it.inFlight]), [[4, 2, 2]]);
  assertEquals([recorder.current.sent, recorder.inFlight], [2, 4]);
  await end();
});
