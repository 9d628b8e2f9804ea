/** A connection's states, and a connection under every order of events. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type ConnectionEvent,
  type ConnectionState,
  nextState,
  READING,
} from "../server/connection_state.ts";
import type { CloseEvent } from "../server/events.ts";
import { cases, test } from "./harness.ts";
import { assertProperty } from "./properties.ts";
import { type FakeStream, World } from "./server_world.ts";

const EVENTS: ConnectionEvent[] = [
  { type: "write" },
  { type: "written" },
  { type: "peer-ended" },
  { type: "finish", reason: "idle" },
  { type: "finish", reason: "drain" },
  { type: "leave" },
  { type: "cut", reason: "drain timeout" },
  { type: "end", reason: "reset by peer" },
];

/** What may follow a state, itself aside. */
const FOLLOWERS: Record<ConnectionState["phase"], ConnectionState["phase"][]> = {
  reading: ["writing", "finishing", "leaving", "ended"],
  writing: ["reading", "finishing", "ended"],
  finishing: ["leaving", "ended"],
  leaving: ["ended"],
  ended: [],
};

test("whatever happens to a connection, its states follow one another in order, and the first reason stays", () => {
  assertProperty(fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }), (events) => {
    let state = READING;
    for (const event of events) {
      const before = state;
      state = nextState(before, event);
      assert(
        before.phase === state.phase || FOLLOWERS[before.phase].includes(state.phase),
        `${before.phase} → ${state.phase}`,
      );
      if ("reason" in before && "reason" in state && !("cut" in state && state.cut)) {
        assertEquals(state.reason, before.reason);
      }
      if (before.phase === "ended") assertEquals(state, before);
      else if (state.phase === "ended") {
        const isReplying = before.phase === "writing" || before.phase === "finishing";
        assertEquals(state.cut, event.type === "cut" && isReplying);
      }
    }
  }));
});

test("each event leads where it is to lead", () => {
  const finishing: ConnectionState = { phase: "finishing", reason: "drain" };
  const leaving: ConnectionState = { phase: "leaving", reason: "idle" };
  const table: [ConnectionState, ConnectionEvent, ConnectionState][] = [
    [READING, { type: "write" }, { phase: "writing" }],
    [READING, { type: "finish", reason: "idle" }, leaving],
    [READING, { type: "peer-ended" }, { phase: "finishing", reason: "closed by peer" }],
    [READING, { type: "cut", reason: "x" }, { phase: "ended", reason: "x", cut: false }],
    [{ phase: "writing" }, { type: "written" }, READING],
    [{ phase: "writing" }, { type: "finish", reason: "drain" }, finishing],
    [{ phase: "writing" }, { type: "cut", reason: "x" }, { phase: "ended", reason: "x", cut: true }],
    [{ phase: "writing" }, { type: "end", reason: "x" }, { phase: "ended", reason: "x", cut: false }],
    [finishing, { type: "written" }, finishing],
    [finishing, { type: "leave" }, { phase: "leaving", reason: "drain" }],
    [finishing, { type: "cut", reason: "x" }, { phase: "ended", reason: "x", cut: true }],
    [leaving, { type: "end", reason: "closed by peer" }, { phase: "ended", reason: "idle", cut: false }],
    [leaving, { type: "cut", reason: "x" }, { phase: "ended", reason: "idle", cut: false }],
  ];
  for (const [state, event, expected] of table) assertEquals(nextState(state, event), expected);
});

/** What can happen to a connection, by name. */
const STEPS: Record<string, (stream: FakeStream, world: World) => void | Promise<void>> = {
  "a line": (stream) => stream.send("hello\n"),
  "half a line": (stream) => stream.send("half "),
  "many lines": (stream) => stream.send("a\nb\n".repeat(30_000)),
  "a line too long": (stream) => stream.send("x".repeat(200)),
  "the peer ends": (stream) => stream.end(),
  "the peer resets": (stream) => stream.reset(),
  "the peer stops reading": (stream) => stream.setReading(false),
  "the peer reads": (stream) => stream.setReading(true),
  "a second passes": (_, { clock }) => clock.advance(1000),
  "ten seconds pass": (_, { clock }) => clock.advance(10_000),
  "a turn passes": (_, { clock }) => clock.advance(0),
  "drain": (_, { connections }) => connections.endWhenQuiet(50),
  "the drain timeout": (_, { connections }) => connections.finishAll("drain timeout"),
  "the end of patience": (_, { connections }) => connections.cutAll("drain timeout"),
};

test("a connection ends once and closes its stream, in whatever order things happen", async () => {
  const names = fc.array(fc.constantFrom(...Object.keys(STEPS)), { maxLength: 12 });
  await assertProperty(
    fc.asyncProperty(names, async (names) => {
      await using world = new World({ idleTimeout: 20_000, maxLine: 100 });
      const stream = world.connect();
      for (const name of names) await STEPS[name]!(stream, world);
      const isReset = names.includes("the peer resets");
      // Every connection ends: at the latest because it is idle, and then because it has lingered long enough.
      await world.clock.advance(60_000);
      const { silent } = world.counters.snapshot();
      assertEquals(world.closes().length, 1 - silent);
      assertEquals(world.released, [stream]);
      assertEquals([world.connections.open, stream.closed, stream.misused], [0, true, false]);
      if (silent === 1) return assertEquals(world.counters.snapshot().bytesIn, 0);
      const [{ lines, bytesOut, cut, reason }] = world.closes() as [CloseEvent];
      const { received } = stream;
      // Who cuts a connection off does not wait for the last write.
      const isCutOff = isReset || names.includes("the end of patience");
      if (!isCutOff && !cut) {
        assertEquals(new TextEncoder().encode(received).length, bytesOut);
        // Without stamps a reply is its line, and an error line comes last, if at all.
        assert(
          /^(?:(?:hello|half (?:half |hello|a)*|a|b|x{1,100}|.*)\n)*$/.test(received),
          received.slice(-300),
        );
        assertEquals(received.split("\n").length - 1 - (/^error: /m.test(received) ? 1 : 0), lines);
      }
      if (cut) assert(/timeout|does not read/.test(reason), reason);
      assertEquals(world.counters.snapshot(), {
        ...{ connections: 1, open: 0, lines, bytesIn: world.closes()[0]!.bytesIn, bytesOut },
        ...{ cut: cut ? 1 : 0, silent: 0, rejected: {}, datagrams: 0, dropped: {} },
      });
    }),
    { numRuns: cases(300) },
  );
});
