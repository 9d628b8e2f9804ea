/** When a closed loop writes, with outlets that do nothing by themselves. */
import { assertEquals } from "@std/assert";
import { ClosedLoop } from "../load/closed_loop.ts";
import type { Outlet, Outlets } from "../load/connection.ts";
import { LineQueue } from "../load/line_queue.ts";
import { OutgoingLines } from "../load/outgoing_lines.ts";
import { Recorder } from "../load/recorder.ts";
import { LineRing } from "../protocol.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";
import { settlePromises, VirtualClock } from "./virtual_clock.ts";

const DURATION = 1000;

/** A loop over two outlets that are filled already, and what it does from then on. */
async function world() {
  const clock = new VirtualClock(settlePromises);
  const first = new LoadInterval();
  const observer = { onInterval() {}, onExchange() {}, onServer() {}, onBegin() {} };
  const recorder = new Recorder(observer, false, first);
  recorder.begin(0, DURATION);
  const ring = LineRing.ofSize(10);
  const log: string[] = [];
  const outlets = ["a", "b"].map((name): Outlet => {
    const shared = { ring, recorder, timeout: 1000, hasOwnConnections: false, datagrams: false };
    const outgoing = new OutgoingLines(shared, new LineQueue(), 0);
    return {
      isOpen: true,
      outgoing,
      flush() {
        log.push(`write ${outgoing.count} to ${name}`);
        outgoing.write(clock.now());
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
  return { clock, recorder, first, log, loop, outlets, end };
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

test("lines that would be written after the plan's end are not, and were never planned", async () => {
  const { clock, recorder, first, log, loop, outlets, end } = await world();
  assertEquals([first.planned, first.sent, recorder.outstanding], [4, 4, 4]);
  loop.onFreed(outlets[0]!, 2, DURATION - 1);
  clock.stall(DURATION);
  await settlePromises();
  assertEquals([first.planned, first.sent, recorder.outstanding], [4, 4, 4]);
  assertEquals([log, outlets[0]!.outgoing.count], [[], 0]);
  await end();
});
