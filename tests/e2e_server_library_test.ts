/** server.ts as a library, and the examples of all libraries. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ping } from "../ping.ts";
import { type HostEndpoint, mergeFigures, serve, type ServerEvent, type ServerOptions } from "../server.ts";
import { e2e as test } from "./harness.ts";
import { assertServes, Folder, readAll, readLine, ROOT, run, send } from "./helpers.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** A server on a free port, and what it tells. */
async function start(options: ServerOptions = {}) {
  const events: ServerEvent[] = [];
  const onEvent = (event: ServerEvent) => void events.push(event);
  const server = await serve({ listen: ["tcp://127.0.0.1:0"], onEvent, ...options });
  const { port } = server.endpoints[0] as HostEndpoint;
  return { server, events, port, connect: () => Deno.connect({ hostname: "127.0.0.1", port }) };
}

test("serve gives real ports, live counters, typed events and an end", async () => {
  const stop = new AbortController();
  const { server, events, connect } = await start({ signal: stop.signal, tag: "web-1" });
  using conn = await connect();
  await send(conn, "hello\n");
  assertStringIncludes(await readLine(conn), " web-1] hello\n");
  const { open, lines, bytesIn, bytesOut } = server.counters.snapshot();
  assertEquals([open, lines, bytesIn, bytesOut], [1, 1, 6, 6 + 30 + 6]);
  stop.abort();
  assertEquals(await readAll(conn), "");
  conn.closeWrite();
  assertEquals(await server.finished, "drained");
  assertEquals(events.map(({ type }) => type), ["start", "open", "drain", "close", "end"]);
  const figures = server.counters.snapshot();
  assertEquals(events.at(-1), { ...events.at(-1)!, figures } as ServerEvent);
  assertEquals([figures.connections, figures.open, figures.lines], [1, 0, 1]);
  assertEquals(mergeFigures(figures, figures).bytesOut, 2 * figures.bytesOut);
});

test("every transport is served at once, and a scope's end is the server's", async () => {
  await using folder = await Folder.make();
  const path = folder.file("s.sock");
  {
    const { server } = await start({ listen: ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", `unix:${path}`] });
    await using _end = server;
    for (const endpoint of server.endpoints) {
      await using run = ping(endpoint, { count: 2, interval: 0 });
      const fates: string[] = [];
      for await (const { fate } of run) if (fate !== "missed") fates.push(fate);
      assertEquals(fates, ["received", "received"], JSON.stringify(endpoint));
    }
    const { lines, datagrams } = server.counters.snapshot();
    assertEquals([lines, datagrams], [4, 2]);
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});

test("for the drain delay, exactly, a server accepts and is not ready", async () => {
  const clock = new VirtualClock();
  const server = await serve({ listen: ["tcp://127.0.0.1:0"], drainDelay: 5_000 }, clock);
  const { port } = server.endpoints[0] as HostEndpoint;
  assertEquals(server.phase, "ready");
  const ending = server.stop();
  await clock.advance(4_999);
  assertEquals(server.phase, "delaying");
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await assertServes(conn);
  await clock.advance(1);
  assertEquals(server.phase, "draining");
  await assertServes(conn);
  await conn.closeWrite();
  assertEquals(await readAll(conn), "");
  await clock.advance(1_000);
  assertEquals([await ending, server.phase], ["drained", "ended"]);
});

test("a rejection has a code, in the counters and in the event", async () => {
  const { server, events, connect } = await start({ maxConns: 1 });
  await using _end = server;
  using held = await connect();
  await assertServes(held);
  using refused = await connect();
  assertEquals(await readAll(refused), "error: too many connections (1)\n");
  assertEquals(server.counters.snapshot().rejected, { "too-many-connections": 1 });
  const rejection = events.find(({ type }) => type === "reject");
  assert(rejection?.type === "reject");
  assertEquals([rejection.code, rejection.reason, rejection.count], [
    "too-many-connections",
    "too many connections",
    1,
  ]);
});

test("what cannot be served rejects, says why, and leaves nothing open", async () => {
  const { server, port } = await start();
  await using _end = server;
  const taken = `tcp://127.0.0.1:${port}`;
  const { message } = await assertRejects(() => serve({ listen: ["udp://127.0.0.1:0", ":0", taken] }), Error);
  assertStringIncludes(message, `Cannot listen on "${taken}": the port is in use`);
  const table: [ServerOptions, string][] = [
    [{ maxLine: 0 }, "Cannot use maxLine 0: expected a number from 1"],
    [{ idleTimeout: NaN }, "Cannot use idleTimeout NaN"],
    [{ tag: "web 1" }, 'Cannot use tag "web 1"'],
    [{ listen: ["http://web"] }, 'Cannot listen on "http://web": unknown scheme'],
    [{ listen: ["udp://:0"], stamp: "none" }, 'Cannot listen on "udp://[::]:0": with stamp none a reply'],
    [{ listen: ["tls://:0"] }, 'Cannot listen on "tls://[::]:0"'],
  ];
  for (const [options, text] of table) {
    assertStringIncludes((await assertRejects(() => serve(options), Error)).message, text);
  }
  // The leak sanitizer finds what stays open.
});

test("the libraries work where deno.json is another, with the network alone, and print nothing", async () => {
  await using folder = await Folder.make();
  const path = (name: string) => JSON.stringify(new URL(`../${name}.ts`, import.meta.url).href);
  await Deno.writeTextFile(
    folder.file("use.ts"),
    `import { ping } from ${path("ping")};
     import { Prefix } from ${path("protocol")};
     import { serve } from ${path("server")};
     await using server = await serve({ listen: ["tcp://127.0.0.1:0"], maxConns: 5 });
     const run = ping(server.endpoints[0]!, { count: 2, interval: 0 });
     for await (const { seq, fate } of run) console.log(seq, fate);
     console.log(server.counters.snapshot().lines, new TextDecoder().decode(new Prefix("unix").at(1.5e6)));`,
  );
  await Deno.writeTextFile(folder.file("deno.json"), "{}");
  const { code, stdout, stderr } = await run([
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--no-lock", "--allow-net"],
    folder.file("use.ts"),
  ]);
  assertEquals([code, stdout, stderr], [0, "1 received\n2 received\n2 [1.500000] \n", ""]);
});

test("the examples in the libraries' documentation run, and everything exported is documented", {
  level: "slow",
}, async () => {
  const faces = ["server.ts", "ping.ts", "load.ts", "protocol.ts"].map((name) => `${ROOT}${name}`);
  const examples = await run([Deno.execPath(), "test", "--no-check", "--quiet", "-A", "--doc", ...faces]);
  assertStringIncludes(examples.stdout, "ok | 4 passed", examples.stdout + examples.stderr);
  const lint = await run([Deno.execPath(), "doc", "--lint", ...faces]);
  assertEquals(lint.code, 0, lint.stderr);
});
