/** load.ts as a library: intervals, a summary, and nothing of the command line. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Load, load, type LoadInterval, type LoadOptions, type LoadServer } from "../load.ts";
import { LoadInterval as Interval } from "../stats/load_interval.ts";
import { e2e as test } from "./harness.ts";
import { Folder, readLine, REFUSING, ServerProcess } from "./helpers.ts";
import { needsTlsServer, tlsServer, withCertificates } from "./tls_helpers.ts";

/** Runs to the end. @returns all intervals in one, and the run. */
async function total(url: string, options: LoadOptions): Promise<{ sum: LoadInterval; run: Load }> {
  const run = load(url, options);
  const sum = new Interval();
  for await (const interval of run) sum.extend(interval);
  assertEquals(sum.planned, sum.sent + sum.dropped + sum.unsent);
  const errors = [...sum.errors.values()].reduce((all, it) => all + it, 0);
  assertEquals(sum.sent, sum.received + sum.lost + sum.corrupt + errors + sum.pending);
  return { sum, run };
}

const NO_FAULTS = { lost: 0, corrupt: 0, duplicates: 0, errors: new Map(), connectErrors: new Map() };

function faultsOf({ lost, corrupt, duplicates, errors, connectErrors }: LoadInterval) {
  return { lost, corrupt, duplicates, errors, connectErrors };
}

test("a closed loop sends as many lines as it is to, whatever their size and number in flight", {
  level: "slow",
}, async () => {
  await using server = await ServerProcess.start(["tcp://127.0.0.1:0", "--tag", "web-1"]);
  for (
    const options of [
      { connections: 3, depth: 1, size: 1 },
      { connections: 1, depth: 300, size: 31 },
      { connections: 4, depth: 16, size: 4095 },
      { connections: 2, depth: 5, size: 65_000 },
      { connections: 2, depth: 7, lines: ["GET a", "", "[x] y"].map((it) => new TextEncoder().encode(it)) },
    ]
  ) {
    const count = 400;
    const { sum, run } = await total(server.url("tcp"), { ...options, count, warmup: 0 });
    assertEquals([sum.sent, sum.received, faultsOf(sum)], [count, count, NO_FAULTS]);
    assertEquals([sum.service.count, sum.response.count, sum.connect.count], [count, 0, options.connections]);
    const { servers, loop, response } = run.summary();
    assertEquals(servers.map(({ tag, connections }) => [tag, connections]), [["web-1", options.connections]]);
    assertEquals([loop, response, run.ended], ["closed", null, null]);
  }
});

test("over UDP, lines of which too few differ tell no directions and no offset", async () => {
  await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
  const lines = (count: number) =>
    Array.from({ length: count }, (_, i) => new TextEncoder().encode(`line ${i}`));
  for (
    const [options, alike] of [
      [{ size: 1 }, true],
      [{ lines: lines(15) }, true],
      [{ lines: [...lines(15), ...lines(15)] }, true],
      [{ lines: [...lines(15), ...lines(16)] }, true],
      [{ lines: [...lines(16), ...lines(17)] }, false],
      [{ lines: [...lines(20), ...lines(1)] }, true],
      [{ size: 2 }, false],
      [{ size: 1, reconnect: true }, false],
    ] as [LoadOptions, boolean][]
  ) {
    const run = { ...options, connections: 2, count: 20, rate: 200, duration: 10_000, warmup: 0 };
    const summary = (await total(server.url("udp"), run)).run.summary();
    const [{ received, up, down, offset }] = summary.servers as [LoadServer];
    assertEquals(summary.alike, alike);
    assertEquals([received, up === null, down === null, offset === null], [20, alike, alike, alike]);
  }
});

test("an open loop plans what its rate says in each second, and the warm-up is in none", async () => {
  await using server = await ServerProcess.start();
  const run = load(server.url("tcp"), { connections: 3, rate: 40, duration: 2500, warmup: 500 });
  const seconds: LoadInterval[] = [];
  for await (const it of run) seconds.push(it);
  assertEquals(seconds.filter((it) => !it.tail).map(({ from, to, planned }) => [from, to, planned]), [
    [0, 1000, 40],
    [1000, 2000, 40],
    [2000, 2500, 20],
  ]);
  const { planned, received, response, send_lag } = run.summary();
  assertEquals([planned, received, response!.count, send_lag!.count], [100, 100, 100, 100]);
});

test("an open loop ends its plan where the line after the last one would be", { level: "slow" }, async () => {
  await using server = await ServerProcess.start();
  const { sum, run } = await total(server.url("tcp"), { connections: 2, rate: 1000, count: 400, warmup: 0 });
  assertEquals([sum.planned, sum.received, run.summary().duration], [400, 400, 0.4]);
});

test("a server without stamps is loaded too", async () => {
  await using server = await ServerProcess.start(["tcp://127.0.0.1:0", "--stamp", "none"]);
  const { sum } = await total(server.url("tcp"), { connections: 2, depth: 9, count: 500, warmup: 0 });
  assertEquals([sum.received, faultsOf(sum)], [500, NO_FAULTS]);
});

test("each line may have a connection of its own, in both loops and over each kind of stream", async () => {
  await using folder = await Folder.make();
  await using server = await ServerProcess.start([
    "tcp://127.0.0.1:0",
    `unix:${folder.file("sock")}`,
    "--quiet",
  ]);
  for (const { url } of server.endpoints()) {
    const own = { connections: 3, reconnect: true, warmup: 0 };
    const closed = await total(url, { ...own, count: 40 });
    const open = await total(url, { ...own, count: 40, rate: 400 });
    for (const { sum, run } of [closed, open]) {
      assertEquals([sum.sent, sum.received, sum.connect.count, faultsOf(sum)], [40, 40, 40, NO_FAULTS]);
      assertEquals(run.summary().servers[0]!.connections, 40);
    }
    const { response, service, connect } = open.sum;
    assert(response.avg > service.avg + connect.avg, "the response has the connect, the service has not");
  }
});

test(
  "TLS is loaded too, and each line may have its handshake",
  await needsTlsServer(),
  () =>
    withCertificates(async (folder, identity) => {
      await using server = await tlsServer(identity);
      const url = server.url("tls").replace("127.0.0.1", "localhost");
      const tls = { caFile: folder.file("ca.pem"), connections: 3, warmup: 0 };
      const many = await total(url, { ...tls, depth: 40, count: 2000 });
      const own = await total(url, { ...tls, reconnect: true, count: 10 });
      for (const [{ sum }, lines, handshakes] of [[many, 2000, 3], [own, 10, 10]] as const) {
        assertEquals([sum.received, sum.handshake.count, faultsOf(sum)], [lines, handshakes, NO_FAULTS]);
      }
    }),
);

test("connections that the server refuses in words are told of, and the others carry the lines", async () => {
  await using server = await ServerProcess.start(["tcp://127.0.0.1:0", "--max-conns", "2"]);
  const { sum } = await total(server.url("tcp"), { connections: 3, rate: 200, count: 100, warmup: 0 });
  const refused = [...sum.connectErrors, ...sum.errors].filter(([reason]) =>
    reason.startsWith("server said: ")
  );
  assert(refused.length > 0, JSON.stringify([...sum.connectErrors, ...sum.errors]));
  assert(sum.received > 0);
});

test(
  "datagrams are lines too, at a rate and at the one that a server allows",
  { level: "slow" },
  async () => {
    await using server = await ServerProcess.start(["udp://127.0.0.1:0", "--udp-rate", "0"]);
    const { url } = server.endpoints()[0]!;
    for (
      const options of [{ rate: 500 }, { depth: 3 }, { depth: 3, udpRate: 0 }, { lines: [new Uint8Array(0)] }]
    ) {
      const { sum } = await total(url, { connections: 2, count: 100, warmup: 0, ...options });
      assertEquals([sum.sent, sum.received, faultsOf(sum)], [100, 100, NO_FAULTS]);
      const takes = "udpRate" in options ? 0 : 98 * 2; // 500 a second
      assert(sum.to >= takes, `all came within ${sum.to} ms`);
    }
  },
);

const THREADS = { connections: 5, threads: 2, warmup: 100 };

test("threads share the lines and connections of one run, and what they count is exact", async () => {
  await using server = await ServerProcess.start(["tcp://127.0.0.1:0", "--tag", "web-1"]);
  const closed = await total(server.url("tcp"), { ...THREADS, depth: 3, count: 1001 });
  assertEquals([closed.sum.received, faultsOf(closed.sum)], [1001, NO_FAULTS]);
  assertEquals(closed.run.summary().servers.map((it) => [it.tag, it.connections]), [["web-1", 5]]);
});

test("threads share a plan, and lines with connections of their own", { level: "slow" }, async () => {
  await using server = await ServerProcess.start();
  const open = load(server.url("tcp"), { ...THREADS, rate: 101, duration: 2000 });
  const seconds: LoadInterval[] = [];
  for await (const it of open) if (!it.tail) seconds.push(it);
  assertEquals(seconds.map(({ from, to, planned }) => [from, to, planned]), [[0, 1000, 101], [
    1000,
    2000,
    101,
  ]]);
  const { received, response, servers } = open.summary();
  assertEquals([received, response!.count, servers[0]!.received], [202, 202, 202]);
  assert(response!.min > 0, "all threads have one clock");
  const own = await total(server.url("tcp"), { ...THREADS, reconnect: true, count: 21 });
  assertEquals([own.sum.received, own.sum.connect.count], [21, 21]);
});

test(
  "threads end when they are stopped, and when the first connection fails",
  { level: "slow" },
  async () => {
    await using server = await ServerProcess.start();
    const stop = new AbortController();
    const options = {
      connections: 2,
      threads: 2,
      rate: 200,
      duration: 60_000,
      warmup: 0,
      signal: stop.signal,
    };
    const run = load(server.url("tcp"), options);
    for await (const _ of run) stop.abort();
    assertEquals([run.ended, run.summary().pending], ["stopped", 0]);
    const url = server.url("tcp");
    assertEquals(await server.stop(), 0);
    await assertRejects(() => load(url, options).open(), Error, "interrupted");
    const { signal: _, ...unstopped } = options;
    await assertRejects(() => load(url, unstopped).open(), Error, "connection refused");
  },
);

test("load stops at its signal and waits for what is in flight; abort does not wait", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `tcp://127.0.0.1:${listener.addr.port}`;
  /** Accepts two connections and reads three lines of each, but never answers. */
  const takeLines = async () => {
    const conns = [await listener.accept(), await listener.accept()];
    for (const conn of conns) for (let line = 0; line < 3; line++) await readLine(conn);
    return conns;
  };
  const close = (conns: Deno.Conn[]) => conns.forEach((it) => it.close());
  const stop = new AbortController();
  const stopped = total(url, { connections: 2, depth: 3, timeout: 400, warmup: 0, signal: stop.signal });
  const first = await takeLines();
  stop.abort();
  const { sum, run } = await stopped;
  // A busy machine may have given up lines, and sent others in their place, before it was stopped.
  assertEquals([sum.lost, sum.pending, run.ended], [sum.sent, 0, "stopped"]);
  assert(sum.sent >= 6);
  close(first);
  const aborted = load(url, { connections: 2, depth: 3, timeout: 60_000, warmup: 0 });
  const taken = takeLines();
  void taken.then(() => aborted.abort());
  const last = new Interval();
  for await (const interval of aborted) last.extend(interval);
  assertEquals([last.sent, last.pending, last.lost, aborted.ended], [6, 6, 0, "aborted"]);
  close(await taken);
  listener.close();
});

test("load refuses options out of range and endpoints that are none, and rejects where nobody listens", async () => {
  assertThrows(() => load("web", { size: 0 }), RangeError, "Cannot use size 0: expected a number from 1");
  assertThrows(() => load("web", { rate: 1, depth: 2 }), RangeError, "depth");
  assertThrows(() => load("http://web"), Error, 'Cannot load "http://web": unknown scheme');
  assertThrows(() => load("web:70000"), Error, 'Cannot load "web:70000": expected a port, 1 to 65535');
  await assertRejects(() => load(REFUSING).open(), Error, "connection refused");
  await assertRejects(() => load(REFUSING, { signal: AbortSignal.abort() }).open(), Error, "interrupted");
  await using opened = load(REFUSING);
  assert(opened.elapsed === 0); // and never opened
});
