/** Whose turn it is to read, and what memory reads take, where many connections have something to say. */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { ReadTurns } from "../server/read_turns.ts";
import { test } from "./harness.ts";
import { World } from "./server_world.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** Deno completes this many reads in a turn. */
const IN_A_TURN = 128;

interface Crowd {
  clock: VirtualClock;
  /** How often each connection has read. */
  reads: number[];
  /** Those whose read Deno can complete, the latest last. */
  readable: (() => void)[];
  turn(): Promise<void>;
  end(): Promise<void>;
}

/** Connections that can always read, on an event loop that prefers the latest of them, as Deno's does. */
function crowd(count: number, turns: (clock: VirtualClock) => ReadTurns | undefined): Crowd {
  const clock = new VirtualClock();
  const shared = turns(clock);
  const reads = new Array<number>(count).fill(0);
  const readable: (() => void)[] = [];
  let isOver = false;
  const serve = async (id: number) => {
    let turn: Promise<void> | undefined;
    while (!isOver) {
      await new Promise<void>((resolve) => readable.push(resolve));
      shared?.count(turn !== undefined);
      reads[id]!++;
      await undefined; // the reply is written
      turn = shared?.next();
      if (turn !== undefined) await turn;
    }
  };
  const served = Array.from(reads.keys(), serve);
  const turn = async () => {
    for (const resolve of readable.splice(-IN_A_TURN)) resolve();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    clock,
    reads,
    readable,
    turn,
    async end() {
      isOver = true;
      while (readable.length > 0) await turn();
      await clock.advance(100);
      while (readable.length > 0) await turn();
      await Promise.all(served);
    },
  };
}

test("each of many connections that can read does so before others have read often", async () => {
  const unshared = crowd(2000, () => undefined);
  const shared = crowd(2000, (clock) => new ReadTurns({ size: 2000 }, clock));
  for (const it of [unshared, shared]) {
    for (let i = 0; i < 200; i++) await it.turn();
  }
  assertEquals(Math.min(...unshared.reads), 0, "the model of Deno's event loop is fair by itself");
  assert(Math.min(...shared.reads) >= 2, `${Math.min(...shared.reads)}`);
  assert(Math.max(...shared.reads) <= 20, `${Math.max(...shared.reads)}`);
  await unshared.end();
  await shared.end();
});

test("connections that wait for their turn get it when no other has anything to say", async () => {
  const { clock, readable, turn, end } = crowd(300, (clock) => new ReadTurns({ size: 300 }, clock));
  await turn(); // a full one
  const silent = readable.splice(0); // these have nothing to say after all
  assertEquals(silent.length, 300 - IN_A_TURN);
  assertEquals(readable.length, 0);
  await clock.advance(1);
  assertEquals(readable.length, 0);
  await clock.advance(10);
  assertEquals(readable.length, IN_A_TURN);
  readable.push(...silent);
  await end();
});

test("no connection waits for its turn where there are few", () => {
  const turns = new ReadTurns({ size: 256 }, new VirtualClock());
  for (let i = 0; i < 1000; i++) {
    turns.count(false);
    assertEquals(turns.next(), undefined);
  }
});

test("no connection is ended for memory that many short lines do not need", async () => {
  const count = 100;
  await using world = new World({ maxMemory: 2 << 20 }, { conns: count });
  const streams = Array.from({ length: count }, () => world.connect());
  // A read of 1 KiB that is filled asks for more room, of 128 KiB where there is enough.
  const text = "a line of some thirty bytes ..\n".repeat(50);
  for (let i = 0; i < 3; i++) {
    for (const stream of streams) stream.send(text);
    await world.clock.advance(10);
  }
  for (const stream of streams) stream.setReading(false);
  for (const stream of streams) stream.send("short\n");
  await world.clock.advance(10);
  for (const stream of streams) stream.setReading(true);
  await world.clock.advance(10);
  assertEquals(world.events.filter(({ type }) => type === "evict"), []);
  for (const { received } of streams) assertEquals(received, text.repeat(3) + "short\n");
});
