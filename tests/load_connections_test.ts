/** What the connections of a load keep account of, with connections that do nothing by themselves. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../failure.ts";
import type { ConnectionEvents, LoadConnection, MakeConnection } from "../load/connection.ts";
import { Connections } from "../load/connections.ts";
import { LineQueue } from "../load/line_queue.ts";
import { OutgoingLines } from "../load/outgoing_lines.ts";
import { OwnConnections } from "../load/own_connections.ts";
import { PendingLines } from "../load/pending_lines.ts";
import { StreamConnection } from "../load/stream_connection.ts";
import { Recorder } from "../load/recorder.ts";
import { LineRing } from "../protocol.ts";
import type { Stream } from "../net/stream.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { test } from "./harness.ts";
import { settlePromises, VirtualClock } from "./virtual_clock.ts";

/** A connection that is told what becomes of it. */
class FakeConnection implements LoadConnection {
  isOpen = true;
  readonly #ended = Promise.withResolvers<void>();

  constructor(
    readonly lines: PendingLines,
    readonly events: ConnectionEvents,
    readonly signal: AbortSignal,
  ) {}

  get outgoing(): OutgoingLines {
    return this.lines.outgoing;
  }

  read(): Promise<void> {
    return this.#ended.promise;
  }

  flush(): void {
    if (this.isOpen) this.outgoing.write(1);
  }

  /** Nothing is read any more only when {@linkcode end} is called. */
  close(): void {
    this.isOpen = false;
  }

  end(): void {
    this.#ended.resolve();
  }
}

function world(isOpen = true) {
  const clock = new VirtualClock(settlePromises);
  const first = new LoadInterval();
  const observer = { onInterval() {}, onExchange() {}, onServer() {}, onBegin() {} };
  const recorder = new Recorder(observer, isOpen, first);
  recorder.begin(0, 10_000);
  const ring = LineRing.ofSize(10);
  const made: FakeConnection[] = [];
  const attempts: { resolve: () => void; reject: (error: unknown) => void; signal: AbortSignal }[] = [];
  const held = { connects: false };
  const make: MakeConnection = async (lines, events, signal) => {
    if (held.connects) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      attempts.push({ resolve, reject, signal });
      await promise;
    }
    const connection = new FakeConnection(lines, events, signal);
    made.push(connection);
    return { connection, times: { connectMs: 1, handshakeMs: 2 } };
  };
  const shared = { ring, recorder, connections: 1, timeout: 1000, datagrams: false };
  return {
    clock,
    first,
    recorder,
    ring,
    made,
    attempts,
    held,
    make,
    shared,
    [Symbol.dispose]: () => ring.close(),
  };
}

function connectionsOf(w: ReturnType<typeof world>, count: number, maxConnects = 10): Connections {
  const linesOf = (place: number) => new PendingLines({ ...w.shared, hasOwnConnections: false }, place);
  return new Connections(count, w.make, linesOf, w.recorder, w.clock, maxConnects, () => 0.5);
}

function ownOf(w: ReturnType<typeof world>, max: number): OwnConnections {
  const shared = { ...w.shared, hasOwnConnections: true };
  const outgoing = new OutgoingLines(shared, new LineQueue(), 0);
  return new OwnConnections(
    max,
    w.make,
    () => new PendingLines(shared, 0),
    outgoing,
    w.recorder,
    1000,
    w.clock,
  );
}

/** Whether a promise is resolved once all that can run has run. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  void promise.then(() => done = true);
  await settlePromises();
  return done;
}

const never = new AbortController().signal;

test("closing a load's connections waits until nothing is read on any of them", async () => {
  using w = world();
  const connections = connectionsOf(w, 2);
  await connections.openAll(never);
  assertEquals(connections.open, 2);
  const closing = connections.close();
  assert(w.made.every(({ isOpen }) => !isOpen));
  assert(!await isDone(closing));
  w.made[0]!.end();
  assert(!await isDone(closing));
  w.made[1]!.end();
  await closing;
  w.ring.close();
});

test("a connection that is made after all were closed is closed, too, and counted nowhere", async () => {
  using w = world();
  const connections = connectionsOf(w, 2);
  await connections.openAll(never);
  const [first] = w.made;
  w.held.connects = true;
  first!.events.onEnd(first!, [], "connection closed");
  first!.end();
  assertEquals(connections.open, 1);
  await w.clock.advance(20);
  const closing = connections.close();
  w.attempts[0]!.resolve();
  w.made[1]!.end();
  await settlePromises();
  assertEquals([w.made.length, w.made[2]!.isOpen, connections.open], [3, false, 1]);
  assertEquals(w.first.connect.count, 2);
  w.made[2]!.end();
  await closing;
  w.ring.close();
});

test("so many connects at most are under way while a load's connections are opened", async () => {
  using w = world();
  const connections = connectionsOf(w, 6, 2);
  w.held.connects = true;
  const opening = connections.openAll(never);
  const under = [];
  for (let connect = 0; connect < 6; connect++) {
    await settlePromises();
    under.push(w.attempts.length - connect);
    w.attempts[connect]!.resolve();
  }
  await opening;
  assertEquals(under, [1, 2, 2, 2, 2, 1]); // the first one is tried alone
  for (const it of w.made) it.end();
  await connections.close();
  w.ring.close();
});

test("opening a load's connections ends with the signal, before and while they are opened", async () => {
  using early = world();
  await assertRejects(() => connectionsOf(early, 2).openAll(AbortSignal.abort()), Failure, "interrupted");
  using w = world();
  const connections = connectionsOf(w, 3, 1);
  w.held.connects = true;
  const signal = new AbortController();
  const opening = connections.openAll(signal.signal);
  await settlePromises();
  w.attempts[0]!.resolve();
  await settlePromises();
  signal.abort();
  assert(w.attempts[1]!.signal.aborted);
  w.attempts[1]!.reject(new Failure("connect to", "fake", "interrupted"));
  await assertRejects(() => opening, Failure, "interrupted");
  assertEquals([w.attempts.length, w.first.connectErrors.size], [2, 0]); // an interrupted connect is no failed one
  for (const it of w.made) it.end();
  await connections.close();
  for (const { ring } of [early, w]) ring.close();
});

test("closing connections of one line each ends their attempts, and waits until nothing is read", async () => {
  using w = world();
  const own = ownOf(w, 2);
  const opening = own.openAll(never);
  await settlePromises();
  assert(!w.made[0]!.isOpen, "the first connection was only to find out whether one can be made");
  w.made[0]!.end();
  await opening;
  own.outgoing.hand(1, 1, 1);
  own.outgoing.hand(1, 1, 1);
  own.flush();
  await settlePromises();
  w.held.connects = true;
  w.made[1]!.events.onFreed(w.made[1]!, 1, 2);
  own.outgoing.hand(1, 1, 1);
  own.flush();
  assertEquals(w.attempts.length, 1);
  const closing = own.close();
  assert(w.attempts[0]!.signal.aborted);
  assert(!w.made[2]!.isOpen);
  w.attempts[0]!.resolve();
  await settlePromises();
  assert(!w.made[3]!.isOpen, "a connection that comes too late is closed");
  assert(!await isDone(closing));
  for (const it of w.made) it.end();
  await closing;
  w.ring.close();
});

test("a connection that ends is made anew and told to the loop, ever later while none is answered", async () => {
  using w = world();
  const connections = connectionsOf(w, 1);
  const opened: unknown[] = [];
  const run = () => Promise.resolve();
  connections.loop = { run, catchUp() {}, onOpen: (it) => opened.push(it), onFreed() {}, onUnwritten() {} };
  await connections.openAll(never);
  const waits = [];
  for (const answered of [false, false, false, true, false]) {
    const last = w.made.at(-1)!;
    last.lines.answered = answered;
    last.events.onEnd(last, [], "connection closed");
    last.end();
    assertEquals(connections.next(), undefined);
    const [ended, count] = [w.clock.now(), w.made.length];
    while (w.made.length === count) await w.clock.advance(0.5);
    waits.push(w.clock.now() - ended);
    assertEquals(connections.next(), w.made.at(-1));
  }
  assertEquals(waits, [7.5, 15, 30, 7.5, 15]);
  assertEquals(opened, w.made);
  w.made.at(-1)!.end();
  await connections.close();
  w.ring.close();
});

test("a connection that ends before it had a line is a failed connect, one that had is not", async () => {
  using w = world();
  const connections = connectionsOf(w, 2);
  await connections.openAll(never);
  const [used, unused] = w.made;
  used!.outgoing.hand(1, 1, 1);
  used!.flush();
  used!.events.onEnd(used!, [], "connection reset");
  unused!.events.onEnd(unused!, [], "connection closed");
  assertEquals([...w.first.connectErrors], [["connection closed", 1]]);
  for (const it of w.made) it.end();
  await connections.close();
  w.ring.close();
});

test("what no connection has written is unsent when nothing more is to be sent, and pending never", async () => {
  using w = world();
  const connections = connectionsOf(w, 2);
  await connections.openAll(never);
  for (const { outgoing } of w.made) outgoing.hand(1, 1, 3);
  w.made[0]!.flush();
  connections.unsend();
  assertEquals([w.first.sent, w.first.unsent, w.recorder.outstanding], [3, 3, 3]);
  connections.pend();
  assertEquals([w.first.pending, w.recorder.outstanding], [3, 0]);
  for (const it of w.made) it.end();
  await connections.close();
  w.ring.close();
});

test("lines are dealt to the open connections in turn, and those that ended are passed over", async () => {
  using w = world();
  const connections = connectionsOf(w, 3);
  await connections.openAll(never);
  const [a, b, c] = w.made;
  assertEquals(Array.from({ length: 4 }, () => connections.next()), [a, b, c, a]);
  b!.events.onEnd(b!, [], "connection closed");
  assertEquals(Array.from({ length: 3 }, () => connections.next()), [c, a, c]);
  assertEquals([...connections], [a, c]);
  for (const it of w.made) it.end();
  await connections.close();
  w.ring.close();
});

test("a connection whose end is there before it is made counts as one that ended", async () => {
  const w = world();
  const ended: Stream = {
    read: () => Promise.resolve(0),
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close() {},
  };
  w.make = async (lines, events) => {
    const connection = new StreamConnection(ended, lines, w.clock, events);
    await settlePromises(); // as long as it may take to hand the connection on
    return { connection, times: { connectMs: 1 } };
  };
  const connections = connectionsOf(w, 1);
  await connections.openAll(never);
  await settlePromises();
  assertEquals(connections.open, 0);
  assertEquals(Object.fromEntries(w.first.connectErrors), { "connection closed": 1 });
  await connections.close();
});

test("a reply without an end leaves others their turn", async () => {
  using w = world();
  const most = 10_000;
  let reads = 0;
  const endless: Stream = {
    read(buffer) {
      buffer.fill(0x78);
      return Promise.resolve(++reads < most ? buffer.length : 0); // else the test would not end where it fails
    },
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close() {},
  };
  const lines = new PendingLines({ ...w.shared, hasOwnConnections: false }, 0);
  const connection = new StreamConnection(endless, lines, w.clock, { onFreed() {}, onEnd() {} });
  const reading = connection.read();
  for (let turn = 1; turn <= 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    assertEquals(w.clock.sleeping, 1);
    await w.clock.advance(0);
  }
  connection.close();
  await w.clock.advance(0);
  await reading;
  assert(reads < most, `${reads} reads`);
});

test("without its first connection a load does not begin, without another one it does, and that is tried again", async () => {
  using w = world();
  const refused = new Failure("connect to", "fake", "connection refused");
  w.held.connects = true;
  const hopeless = connectionsOf(w, 2).openAll(never);
  w.attempts[0]!.reject(refused);
  await assertRejects(() => hopeless, Failure, "refused");
  assertEquals(w.first.connectErrors.size, 0);

  const connections = connectionsOf(w, 2);
  const opening = connections.openAll(never);
  w.attempts[1]!.resolve();
  await settlePromises();
  w.attempts[2]!.reject(refused);
  await opening;
  assertEquals([...w.first.connectErrors], [["connection refused", 1]]);
  await w.clock.advance(7.5);
  assertEquals(w.attempts.length, 4);
  w.attempts[3]!.reject(refused);
  await settlePromises();
  w.made[0]!.end();
  await connections.close();
  await w.clock.advance(1000);
  assertEquals(w.attempts.length, 4, "what waits for its turn is not tried when all is closed");
  w.ring.close();
});

test("lines with connections of their own wait for room, and each that is answered makes room for the next", async () => {
  using w = world();
  const own = ownOf(w, 2);
  const freed: number[] = [];
  const onFreed = (_: unknown, lines: number) => freed.push(lines);
  own.loop = { run: () => Promise.resolve(), catchUp() {}, onOpen() {}, onFreed, onUnwritten() {} };
  for (let line = 0; line < 5; line++) own.outgoing.hand(1, 1, 1);
  own.flush();
  await settlePromises();
  assertEquals([w.made.length, own.outgoing.count, w.first.sent, w.recorder.outstanding], [2, 3, 2, 5]);
  assertEquals(w.first.connect.count, 2);
  const [first] = w.made;
  first!.events.onFreed(first!, 1, 2);
  await settlePromises();
  assertEquals([first!.isOpen, first!.signal.aborted], [false, true]);
  assertEquals([w.made.length, own.outgoing.count, freed], [3, 2, [1]]);
  own.pend();
  assertEquals([w.first.unsent, w.first.pending, own.outgoing.count], [2, 2, 0]);
  for (const it of w.made) it.end();
  await own.close();
  own.outgoing.hand(1, 1, 1);
  own.flush();
  await settlePromises();
  assertEquals(w.made.length, 3, "what is closed begins nothing");
  w.ring.close();
});

test("a closed loop begins no connection for a line after the plan's end, and one begun before it is in flight", async () => {
  using w = world(false);
  w.held.connects = true;
  const own = ownOf(w, 1);
  for (let line = 0; line < 3; line++) own.outgoing.hand(1, 1, 1);
  own.flush();
  await settlePromises();
  assertEquals([w.first.sent, w.recorder.inFlight, w.recorder.outstanding], [1, 1, 3]);
  w.clock.stall(10_000);
  w.attempts[0]!.resolve();
  await settlePromises();
  assertEquals([w.made.length, w.recorder.inFlight], [1, 1], "its line counts as sent");
  own.expire(20_000);
  await settlePromises();
  assertEquals([w.attempts.length, w.first.sent, w.first.lost, w.recorder.outstanding], [1, 1, 1, 0]);
  for (const it of w.made) it.end();
  await own.close();
  w.ring.close();
});

test("a line whose own connection ends before it was written has failed, once, and makes room", async () => {
  using w = world();
  const own = ownOf(w, 1);
  own.outgoing.hand(1, 1, 1);
  own.outgoing.hand(1, 1, 1);
  own.flush();
  await settlePromises();
  const [first] = w.made;
  first!.events.onEnd(first!, [{ planned: 1, handed: 1, lines: 1 }], "connection closed");
  w.recorder.takeBack(1); // as the connection has, whose line it was
  await settlePromises();
  assertEquals([...w.first.errors], [["connection closed", 1]]);
  assertEquals([w.made.length, w.recorder.outstanding], [2, 1]);
  for (const it of w.made) it.end();
  await own.close();
  w.ring.close();
});

test("a line with its own connection is lost after its time-out, not at it, and one that waits for room is unsent", async () => {
  using w = world();
  const own = ownOf(w, 1);
  own.outgoing.hand(0, 0, 1);
  own.outgoing.hand(0, 0, 1);
  own.flush();
  await settlePromises();
  own.expire(1000);
  assertEquals([w.first.lost, w.first.unsent, w.made.length], [0, 0, 1]);
  own.expire(1000.5);
  assertEquals([w.first.lost, w.first.unsent, w.recorder.outstanding], [1, 1, 0]);
  assert(!w.made[0]!.isOpen);
  for (const it of w.made) it.end();
  await own.close();
  w.ring.close();
});

test("lines that are lost make room in their loop", async () => {
  using w = world();
  const connections = connectionsOf(w, 1);
  const freed: number[] = [];
  const onFreed = (_: unknown, lines: number) => freed.push(lines);
  connections.loop = { run: () => Promise.resolve(), catchUp() {}, onOpen() {}, onFreed, onUnwritten() {} };
  await connections.openAll(never);
  w.made[0]!.outgoing.hand(1, 1, 3);
  w.made[0]!.flush();
  connections.expire(1002);
  assertEquals([w.first.lost, freed], [3, [3]]);
  w.made[0]!.end();
  await connections.close();
  w.ring.close();
});

test("an attempt for one line takes as long as that waits, and failing counts once, and not for the warm-up", async () => {
  using w = world();
  const own = ownOf(w, 9);
  const refused = new Failure("connect to", "fake", "connection refused");
  w.held.connects = true;
  for (const planned of [1, 1, -1]) own.outgoing.hand(planned, 1, 1);
  own.flush();
  await w.clock.advance(10);
  w.attempts[0]!.resolve();
  await settlePromises();
  assertEquals([w.first.connect.max, w.first.handshake.max], [8000, 2000]); // together all 10 ms
  w.attempts[2]!.reject(refused);
  await settlePromises();
  assertEquals([w.first.connectErrors.size, w.first.errors.size], [0, 0]);
  own.expire(2000);
  assertEquals(w.first.lost, 2);
  w.attempts[1]!.reject(refused);
  await settlePromises();
  assertEquals([w.first.connectErrors.size, w.first.errors.size, w.recorder.outstanding], [0, 0, 0]);
  for (const it of w.made) it.end();
  await own.close();
  w.ring.close();
});
