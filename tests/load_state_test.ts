/** The states of a run, a connection and a connection's place: no signal leads back, and none that does not fit counts. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  nextPlaceState,
  nextState,
  OPEN,
  type PlaceSignal,
  type PlaceState,
} from "../load/connection_state.ts";
import { type LoadSignal, type LoadState, nextLoadState } from "../load/state.ts";
import { test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

test("a run goes from phase to phase, and its first cause to end stays unless it is aborted", () => {
  const run = (...signals: LoadSignal["type"][]) =>
    signals.reduce<LoadState>((state, type) => nextLoadState(state, { type }), { phase: "opening" });
  assertEquals(run("opened"), { phase: "sending" });
  assertEquals(run("opened", "all sent"), { phase: "draining", cause: "done" });
  assertEquals(run("opened", "all sent", "stop", "all known"), { phase: "over", cause: "done" });
  assertEquals(run("opened", "stop", "all sent", "all known"), { phase: "over", cause: "stopped" });
  assertEquals(run("opened", "stop", "abort", "all known"), { phase: "over", cause: "aborted" });
  assertEquals(run("stop"), { phase: "over", cause: "stopped" });
  assertEquals(run("all sent", "all known"), { phase: "opening" });
  const order = ["opening", "sending", "draining", "over"];
  assertProperty(fc.property(
    fc.array(fc.constantFrom("opened", "all sent", "stop", "all known", "abort")),
    (types) => {
      let state: LoadState = { phase: "opening" };
      for (const type of types as LoadSignal["type"][]) {
        const next = nextLoadState(state, { type });
        assert(order.indexOf(next.phase) >= order.indexOf(state.phase));
        state = next;
      }
    },
  ));
});

test("a connection keeps the first cause of its end", () => {
  const ended = nextState(OPEN, { type: "end", reason: "connection reset" });
  assertEquals(nextState(nextState(ended, { type: "end", reason: "other" }), { type: "close" }), ended);
  assertEquals(nextState(nextState(OPEN, { type: "close" }), { type: "end", reason: "x" }), {
    phase: "closed",
  });
});

test("a place makes its connection anew, more slowly after each failure in a row, until it is closed", () => {
  const place = (...signals: PlaceSignal<string>[]) =>
    signals.reduce<PlaceState<string>>(nextPlaceState, { phase: "connecting", failures: 0 });
  const connected = { type: "connected", connection: "c" } as const;
  const [failed, retry] = [{ type: "failed" }, { type: "retry" }] as const;
  assertEquals(place(failed, retry, failed), { phase: "backing off", failures: 2 });
  assertEquals(place(failed, retry, connected), { phase: "open", connection: "c", failures: 1 });
  assertEquals(place(failed, retry, connected, { type: "ended", answered: false }).phase, "backing off");
  assertEquals(place(failed, retry, connected, { type: "ended", answered: true }), {
    phase: "backing off",
    failures: 1,
  });
  assertEquals(place({ type: "close" }, connected, retry), { phase: "closed" });
  assertEquals(place(retry, { type: "ended", answered: true }), { phase: "connecting", failures: 0 });
});
