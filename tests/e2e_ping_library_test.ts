/** ping.ts as a library: events, a summary, and nothing of the command line. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ping } from "../ping.ts";
import { e2e as test } from "./harness.ts";
import { Folder, REFUSING, run, ServerPeer } from "./helpers.ts";

test("ping gives an event for each line, and a summary of them", async () => {
  await using server = await ServerPeer.start([
    "tcp://127.0.0.1:0",
    "udp://127.0.0.1:0",
    "--tag",
    "web-1",
  ]);
  for (const { url } of server.endpoints()) {
    const events: string[] = [];
    const run = ping(url, { count: 3, interval: 0 });
    for await (const { seq, fate } of run) {
      if (fate !== "missed") events.push(`${seq} ${fate}`); // as a busy machine may make them
    }
    const { received, lost, ended, servers } = run.summary();
    assertEquals(events, ["1 received", "2 received", "3 received"]);
    assertEquals([received, lost, ended, servers.map(({ tag }) => tag)], [3, 0, null, ["web-1"]]);
    await assertRejects(() => run[Symbol.asyncIterator]().next(), TypeError, "once");
  }
});

test("ping waits for a consumer that is slower than the run, and says what that has cost", async () => {
  await using server = await ServerPeer.start();
  const run = ping(server.url("tcp"), { count: 60, interval: 5 });
  for await (const { seq } of run) {
    const before = run.sent;
    const until = performance.now() + 10;
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(run.sent - before, 0, `lines were sent while line ${seq} was looked at`);
  }
  assertEquals(run.summary().received, 60);
  assert(run.summary().missed > 0);
});

test("a ping ends when its consumer leaves, at its signal, and at its deadline, and closes its connection", async () => {
  await using server = await ServerPeer.start();
  const endless = { interval: 10 };
  const left = ping(server.url("tcp"), endless);
  for await (const { seq } of left) if (seq === 3) break;
  const stop = new AbortController();
  const stopped = ping(server.url("tcp"), { ...endless, signal: stop.signal });
  for await (const { seq } of stopped) if (seq === 2) stop.abort();
  const expired = ping(server.url("tcp"), { ...endless, deadline: 2000 });
  for await (const _ of expired);
  {
    await using opened = ping(server.url("tcp"), endless);
    await opened.open(); // and never iterated over
  }
  for (const run of [left, stopped, expired]) {
    assert(run.isOver && run.summary().received > 1);
    assertEquals(run.summary().ended, null);
  }
  assert(expired.expired && !stopped.expired);
  // The leak sanitizer sees what stays open here; the server's end has seen all of them close.
  assertEquals(await server.stop(), 0);
});

test("ping refuses options out of range and endpoints that are none, and rejects where nobody listens", async () => {
  assertThrows(() => ping("web", { size: 19 }), RangeError, "Cannot use size 19: expected a number from 20");
  assertThrows(() => ping("web", { count: 0 }), RangeError, "Cannot use count 0");
  assertThrows(() => ping("web", { interval: NaN }), RangeError, "Cannot use interval NaN");
  assertThrows(() => ping("http://web"), Error, 'Cannot ping "http://web": unknown scheme');
  assertThrows(() => ping("web:0"), Error, 'Cannot ping "web:0": expected a port, 1 to 65535');
  await assertRejects(() => ping(REFUSING)[Symbol.asyncIterator]().next(), Error, "connection refused");
});

test("ping works where deno.json is another, and where only the network is allowed", async () => {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  await Deno.writeTextFile(
    folder.file("use.ts"),
    `import { ping } from ${JSON.stringify(new URL("../ping.ts", import.meta.url).href)};
     const run = ping(${JSON.stringify(server.url("tcp"))}, { count: 2, interval: 0 });
     for await (const { seq, fate } of run) console.log(seq, fate);`,
  );
  await Deno.writeTextFile(folder.file("deno.json"), "{}");
  const { code, stdout, stderr } = await run([
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--allow-net",
    folder.file("use.ts"),
  ]);
  assertEquals([code, stdout], [0, "1 received\n2 received\n"], stderr);
});
