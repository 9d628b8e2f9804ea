/** What load counts, and under which reasons. */
import { assertEquals } from "@std/assert";
import { reasonOf, withHint, withoutHint } from "../failure.ts";
import { Recorder } from "../load/recorder.ts";
import { test } from "./harness.ts";

const IGNORE = { onInterval() {}, onExchange() {}, onServer() {}, onBegin() {} };

test("reasons are counted without what to do about them, which is told with them", () => {
  const recorder = new Recorder(IGNORE, true);
  recorder.begin(0, 1000);
  const reason = reasonOf(Object.assign(new Error("os error 111"), { code: "ECONNREFUSED" }));
  assertEquals(reason, "connection refused; is a server running there?");
  recorder.connectFailed(reason);
  recorder.connectFailed("connection refused");
  recorder.fail(1, reason, 3);
  recorder.fail(1, "connection reset", 2);
  const { connectErrors, errors } = recorder.current;
  assertEquals([...connectErrors], [["connection refused", 2]]);
  assertEquals([...errors], [["connection refused", 3], ["connection reset", 2]]);
  assertEquals(withHint("connection refused"), reason);
  for (const it of ["connection reset", "the name is wrong; ask somebody", "", "constructor"]) {
    assertEquals([withHint(it), withoutHint(it)], [it, it]);
  }
});
