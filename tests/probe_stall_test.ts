/** Replies that ping itself may have read late. */
import { assert, assertEquals } from "@std/assert";
import type { ReplyEvent } from "../stats/events.ts";
import { test } from "./harness.ts";
import { startRun } from "./probe_helpers.ts";

test("a reply says how long ping did not run while it was under way, and others say nothing", async () => {
  const { clock, told, prober, ended } = await startRun({ interval: 100, timeout: 5000 }, [50, 50, 5]);
  await clock.advance(110);
  clock.stall(500); // the reply to the second line comes at 150, and is read at 610
  await clock.advance(200);
  prober.stop();
  await ended;
  const replies = told.filter((it): it is ReplyEvent => it.fate === "received");
  assert(replies.length >= 3, JSON.stringify(told));
  const busy = new Map(replies.map((it) => [it.seq, it.busy]));
  assertEquals(busy.get(1), undefined);
  assertEquals(busy.get(2), 490_000); // a timer was due at 120
  assertEquals([...busy.values()].filter((it) => it !== undefined).length, 1);
});
