/** What a server does in time, exactly: its clock is virtual. */
import { assertEquals } from "@std/assert";
import { acceptLoop } from "../net/accept.ts";
import { Admission, type AdmittedConnection } from "../net/admission.ts";
import { CidrSet } from "../net/cidr.ts";
import type { Rejection } from "../net/rejection.ts";
import type { ServerTls, StreamListener } from "../net/transport.ts";
import { acceptAllWaiting, admitAllAccepted, endConnections } from "../server/drain.ts";
import { IdleClock } from "../server/idle_clock.ts";
import { RejectionLog } from "../server/rejection_log.ts";
import { test } from "./harness.ts";
import { FakeStream, World } from "./server_world.ts";
import { VirtualClock } from "./virtual_clock.ts";

test("a connection on which no byte moves is told so after the idle time-out, and not before", async () => {
  await using world = new World({ idleTimeout: 10_000 });
  const stream = world.connect();
  stream.send("hello\n");
  await world.clock.advance(5_000);
  stream.send("half");
  // It counts as active until the next tick.
  await world.clock.advance(10_999);
  assertEquals([stream.received, stream.halfClosed], ["hello\n", false]);
  await world.clock.advance(1);
  assertEquals([stream.received, stream.halfClosed], ["hello\nerror: idle for 10s\n", true]);
  // It lingers for what is on its way, but not for ever.
  assertEquals(stream.closed, false);
  await world.clock.advance(3_000);
  assertEquals(stream.closed, true);
  assertEquals(world.closes().map(({ reason, cut }) => [reason, cut]), [["idle", false]]);
});

test("a peer that does not read is cut off after the idle time-out", async () => {
  await using world = new World({ idleTimeout: 10_000 });
  const stream = world.connect();
  stream.setReading(false);
  stream.send("hello\n");
  await world.clock.advance(10_999);
  assertEquals(stream.closed, false);
  await world.clock.advance(1);
  assertEquals(stream.closed, true);
  assertEquals(world.closes().map(({ reason, cut }) => [reason, cut]), [
    ["idle: the peer does not read", true],
  ]);
});

test("a peer that sends on after the end is listened to for 30 seconds", async () => {
  await using world = new World({ idleTimeout: 1_000 });
  const stream = world.connect();
  await world.clock.advance(2_000);
  assertEquals(stream.halfClosed, true);
  const since = world.clock.now();
  while (!stream.closed) {
    stream.send("more\n");
    await world.clock.advance(1_000);
  }
  assertEquals(world.clock.now() - since, 31_000);
  assertEquals(stream.received, "error: idle for 1s\n");
});

test("the time for which the process stands still is nobody's silence", async () => {
  const clock = new VirtualClock();
  let moment = 0;
  const stalling = { now: () => clock.now() + moment, sleep: clock.sleep.bind(clock) };
  const ticks: number[] = [];
  const stop = new AbortController();
  const ticking = new IdleClock(stalling, 1000).run((now) => ticks.push(now), stop.signal);
  await clock.advance(2000);
  moment = 3_600_000; // an hour has gone by
  await clock.advance(3000);
  stop.abort();
  await ticking;
  // The tick after the standstill is left out: what has come meanwhile is read before the next.
  assertEquals(ticks, [1000, 2000, 4000, 5000]);
});

test("a draining connection is served until it has been quiet for 50 ms", async () => {
  await using world = new World();
  const [quiet, busy] = [world.connect(), world.connect()];
  busy.send("before\n");
  await world.clock.advance(700); // in the middle of a tick
  const ending = endConnections(world.connections, 10_000, world.clock, world.idleClock);
  for (let i = 0; i < 5; i++) {
    busy.send(`line ${i}\n`);
    await world.clock.advance(49);
    assertEquals([quiet.halfClosed, busy.halfClosed], [i > 0, false]);
  }
  await world.clock.advance(20);
  assertEquals(busy.halfClosed, true);
  for (const stream of [quiet, busy]) stream.end();
  await ending;
  assertEquals(quiet.received, "");
  assertEquals(busy.received, "before\nline 0\nline 1\nline 2\nline 3\nline 4\n");
  assertEquals(world.closes().map(({ cut }) => cut), [false]);
  assertEquals(world.counters.snapshot().silent, 1);
});

test("the drain timeout ends who sends on, and a second later who does not read", async () => {
  await using world = new World();
  const [busy, stuck] = [world.connect(), world.connect()];
  stuck.setReading(false);
  stuck.send("hello\n");
  let sent = 0;
  let stopped = false;
  const sending = (async () => {
    while (!stopped) {
      busy.send(`line ${sent++}\n`);
      if (busy.halfClosed) busy.end();
      await world.clock.sleep(20);
    }
  })();
  const ending = endConnections(world.connections, 2_000, world.clock, world.idleClock);
  await world.clock.advance(2_990);
  assertEquals([busy.closed, stuck.closed], [true, false]);
  await world.clock.advance(10);
  assertEquals(stuck.closed, true);
  await ending;
  stopped = true;
  await world.clock.advance(20);
  await sending;
  assertEquals(world.closes().map(({ reason, cut }) => [reason, cut]), [
    ["drain timeout", false],
    ["drain timeout", true],
  ]);
  // All that was read is answered.
  assertEquals(
    busy.received,
    Array.from({ length: world.closes()[0]!.lines }, (_, i) => `line ${i}\n`).join(""),
  );
});

test("a drain accepts who waits until none has come for 10 ms, for a second at most", async () => {
  const clock = new VirtualClock();
  const arrivals = { accepted: 0, reads: 0, pending: 0, handshakes: 0 };
  const moment = async (waiting: Promise<void>) => {
    let done = false;
    const begun = clock.now();
    waiting.then(() => done = true);
    for (; !done; await clock.advance(1));
    return clock.now() - begun;
  };
  const waiting = acceptAllWaiting(() => ({ ...arrivals }), clock);
  await clock.advance(3);
  arrivals.accepted++;
  await clock.advance(4); // found at 5
  assertEquals(7 + await moment(waiting), 15);
  const endless = () => ({ ...arrivals, accepted: arrivals.accepted++ });
  assertEquals(await moment(acceptAllWaiting(endless, clock)), 1_000);
  // Among many reads some connections may not have had their turn.
  const crowded = () => ({ ...arrivals, reads: arrivals.reads += clock.now() % 100 < 50 ? 128 : 1 });
  await clock.advance(100 - clock.now() % 100);
  assertEquals(await moment(acceptAllWaiting(crowded, clock)), 55);
});

test("a drain waits for handshakes that have begun, and not for who is silent", async () => {
  const clock = new VirtualClock();
  const arrivals = { accepted: 9, reads: 0, pending: 2, handshakes: 1 };
  const begun = clock.now();
  let done = 0;
  const waiting = admitAllAccepted(() => ({ ...arrivals }), clock).then(() => done = clock.now());
  await clock.advance(300);
  assertEquals(done, 0);
  [arrivals.pending, arrivals.handshakes] = [1, 0];
  await clock.advance(300);
  await waiting;
  assertEquals(done, 355);
  arrivals.handshakes = 1;
  const stuck = admitAllAccepted(() => ({ ...arrivals }), clock).then(() => done = clock.now());
  await clock.advance(2_000);
  await stuck;
  assertEquals(done - begun, 1_600);
  arrivals.pending = 0;
  await admitAllAccepted(() => ({ ...arrivals }), clock); // at once
});

test("silence is nobody's while the server has no time to read", async () => {
  await using world = new World({}, { conns: 100 });
  const crowd = Array.from({ length: 80 }, () => world.connect());
  const waiting = world.connect();
  const ending = endConnections(world.connections, 10_000, world.clock, world.idleClock);
  for (let i = 0; i < 20; i++) {
    for (const stream of crowd) stream.send("hello\n");
    await world.clock.advance(10);
  }
  assertEquals(waiting.halfClosed, false);
  await world.clock.advance(80);
  for (const stream of [waiting, ...crowd]) {
    assertEquals(stream.halfClosed, true);
    stream.end();
  }
  await ending;
});

test("accepting again after a failure takes pauses from 10 to 500 ms, and one event", async () => {
  const clock = new VirtualClock();
  const outcomes: number[] = [];
  let fails = true;
  let closed = false;
  const listener: StreamListener = {
    accept() {
      if (closed) return Promise.reject(new Deno.errors.BadResource());
      outcomes.push(clock.now());
      if (fails) return Promise.reject(Object.assign(new Error("Too many open files"), { code: "EMFILE" }));
      fails = true;
      return Promise.resolve({ stream: new FakeStream(), peer: undefined });
    },
    close: () => closed = true,
  };
  let failures = 0;
  const accepting = acceptLoop(listener, { onAccepted: () => {}, onFailed: () => failures++ }, clock);
  await clock.advance(2_000);
  assertEquals(outcomes, [0, 10, 30, 70, 150, 310, 630, 1130, 1630]);
  fails = false;
  await clock.advance(150); // at 2130 one succeeds, and the next fails at once
  assertEquals([outcomes.slice(9), failures], [[2130, 2130, 2140], 2]);
  listener.close();
  await clock.advance(500);
  await accepting;
});

/** What an admission makes of streams. */
function admission(tls?: ServerTls) {
  const clock = new VirtualClock();
  const outcomes: [number, string][] = [];
  const proxyFrom = CidrSet.parse("127.0.0.1");
  const options = { handshakeTimeout: 10_000, maxPending: 2, ...(tls === undefined && { proxyFrom }) };
  const admission = new Admission(options, clock);
  const admit = (hostname: string) => {
    const stream = new FakeStream();
    admission.admit(
      { stream, peer: { hostname, port: 1 } },
      tls,
      ({ peer }: AdmittedConnection) => outcomes.push([clock.now(), `admitted ${peer?.hostname}`]),
      ({ code }: Rejection) => outcomes.push([clock.now(), code]),
    );
    return stream;
  };
  return { clock, outcomes, admit, admission };
}

test("a PROXY header may take 3 seconds, and a TLS handshake as long as it is given", async () => {
  const headers = admission();
  const silent = headers.admit("127.0.0.1");
  const slow = headers.admit("127.0.0.1");
  slow.send("PROXY TCP4 192.0.2.7 ");
  await headers.clock.advance(2_999);
  slow.send("198.51.100.1 5000 443\r\n");
  await headers.clock.advance(1);
  assertEquals(headers.outcomes, [[2_999, "admitted 192.0.2.7"], [3_000, "late-proxy-header"]]);
  assertEquals([silent.closed, slow.closed], [true, false]);

  const tls: ServerTls = {
    secure: async (stream) => (await stream.read(new Uint8Array(1)), stream),
    renew() {},
    close: () => Promise.resolve(),
  };
  const handshakes = admission(tls);
  const stream = handshakes.admit("127.0.0.1");
  await handshakes.clock.advance(20_000);
  assertEquals(handshakes.outcomes, [[10_000, "late-tls-handshake"]]);
  assertEquals(stream.closed, true);
});

test("when too many are on their way in, the oldest of the busiest source has to go", async () => {
  const { clock, outcomes, admit, admission: own } = admission();
  const [first, second, third] = ["127.0.0.1", "127.0.0.1", "127.0.0.1"].map(admit);
  await clock.advance(0);
  assertEquals(outcomes, [[0, "too-many-pending"]]);
  assertEquals([first!.closed, second!.closed, third!.closed], [true, false, false]);
  own.close();
  await clock.advance(0);
  assertEquals(outcomes.slice(1), [[0, "server-ends"], [0, "server-ends"]]);
});

test("each reason for a rejection is told at once, and then at most once a second", () => {
  let now = 0;
  const told: [number, string, number, number][] = [];
  const log = new RejectionLog<string>(
    ({ reason, count, total }) => told.push([now, reason, count, total]),
    () => now,
  );
  const add = (reason: string) => log.add({ code: reason, reason, peer: undefined });
  for (; now < 2_500; now += 100) {
    add("a");
    if (now === 1_200) add("b");
    log.tick();
  }
  log.flush();
  assertEquals(told, [
    [0, "a", 1, 1],
    [1_000, "a", 10, 11],
    [1_200, "b", 1, 1],
    [2_000, "a", 10, 21],
    [2_500, "a", 4, 25],
  ]);
});

test("everyone who is one too many is told so as fast as they come, and the latest not at all if there are too many", async () => {
  await using world = new World({}, { conns: 1, rejected: 3 });
  world.connect();
  const crowd = [world.connect(), world.connect(), world.connect(), world.connect()];
  await world.clock.advance(0);
  const told = "error: too many connections (1)\n";
  assertEquals(crowd.map(({ received, closed }) => [received, closed]), [
    [told, false],
    [told, false],
    [told, false],
    ["", true],
  ]);
  // Who has had a tenth of a second to read it makes room.
  await world.clock.advance(100);
  const later = world.connect();
  await world.clock.advance(0);
  assertEquals([later.received, crowd[0]!.closed, crowd[1]!.closed], [told, true, false]);
  assertEquals(world.counters.snapshot().rejected, { "too-many-connections": 5 });
  await world.clock.advance(4_000);
  assertEquals([...crowd, later].map(({ closed }) => closed), Array(5).fill(true));
});
