/** What becomes of the lines of one socket whose replies come late, twice, or not at all. */
import { assertEquals } from "@std/assert";
import { PendingLines } from "../load/pending_lines.ts";
import { Recorder } from "../load/recorder.ts";
import { LineRing } from "../protocol.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";

const TIMEOUT = 1000;

/** Lines over a socket, measured from a moment on. */
function socket(from: number, { connections = 1, ring = LineRing.ofSize(32, true) } = {}) {
  const ended: LoadInterval[] = [];
  const recorder = new Recorder(
    { onInterval: (it) => void ended.push(it), onExchange() {}, onServer() {}, onBegin() {} },
    true,
  );
  recorder.begin(from, 1e9);
  const shared = {
    ...{ ring, recorder, connections, timeout: TIMEOUT },
    ...{ hasOwnConnections: false, datagrams: true },
  };
  const lines = new PendingLines(shared, 0);
  const room = new Uint8Array(ring.longest);
  return {
    get told() {
      return [...ended, recorder.current].reduce((sum, it) => (sum.extend(it), sum), new LoadInterval());
    },
    send(moment: number) {
      recorder.plan(moment, 1);
      lines.outgoing.hand(moment, moment, 1);
      lines.outgoing.write(moment);
    },
    answer: (line: number, moment: number) =>
      lines.receiveDatagram(ring.copy(line, room).slice(0, -1), moment),
    expire: (moment: number) => lines.expire(moment),
    [Symbol.dispose]: () => ring.close(),
  };
}

test("a second reply counts if its line does", () => {
  using w = socket(100);
  for (const moment of [98, 99, 100, 101]) w.send(moment);
  for (const line of [0, 1, 2, 3, 0, 1, 2]) w.answer(line, 150 + line);
  assertEquals([w.told.received, w.told.duplicates], [2, 1]);
});

test("lost lines are remembered for late replies, as many as there is room for", () => {
  const lines = 10_000;
  for (const [connections, remembered] of [[1, lines], [1000, 4096]] as const) {
    using w = socket(0, { connections });
    for (let line = 0; line < lines; line++) w.send(0);
    w.expire(TIMEOUT + 1);
    assertEquals([w.told.lost, w.told.late], [lines, 0]);
    for (let line = 0; line < lines; line++) w.answer(line, 5 * TIMEOUT);
    assertEquals([w.told.late, w.told.duplicates], [remembered, lines - remembered]);
  }
});
