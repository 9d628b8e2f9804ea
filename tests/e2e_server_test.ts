/** The server as its clients see it: real processes, real sockets. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { e2e as test, lacking, volume } from "./harness.ts";
import {
  assertServes,
  python,
  readAll,
  readLine,
  run,
  send,
  ServerPeer,
  ServerProcess,
  TESTDATA,
  TSECHO,
  tsecho,
  unstamped,
} from "./helpers.ts";
import { assertProperty } from "./properties.ts";

test("server echoes each line with a timestamp from its own clock in front", async () => {
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  const before = Date.now();
  await send(conn, "hello\n\nwith a CR\r\n");
  const first = await readLine(conn);
  const stamped = Date.parse(first.slice(1, 28));
  assert(before <= stamped && stamped <= Date.now(), first);
  assertEquals(unstamped(first), "hello\n");
  assertEquals(unstamped(await readLine(conn)), "\n");
  assertEquals(unstamped(await readLine(conn)), "with a CR\r\n");
});

test("server answers a line without LF when the client half-closes, and closes", async () => {
  await using server = await ServerPeer.start();
  using conn = await server.connect();
  await send(conn, "one\ntwo");
  await conn.closeWrite();
  const replies = (await readAll(conn)).split("\n");
  assertEquals([unstamped(replies[0]!), unstamped(replies[1]!), replies[2]], ["one", "two", ""]);
});

test("server answers a line that comes a byte at a time", async () => {
  await using server = await ServerPeer.start();
  using conn = await server.connect();
  using other = await server.connect();
  const line = "a byte at a time, with ümläuts\n";
  for (const byte of new TextEncoder().encode(line)) {
    await conn.write(Uint8Array.of(byte));
    await assertServes(other); // by then the server has read the byte alone
  }
  const reply = await readLine(conn);
  assertEquals(unstamped(reply), new TextDecoder("latin1").decode(new TextEncoder().encode(line)));
});

test("any bytes, cut at any places, come back through a real socket", async () => {
  await using server = await ServerPeer.start();
  const byte = fc.oneof(fc.constant(10), fc.integer({ min: 0, max: 255 }));
  const pieces = fc.array(fc.array(byte, { maxLength: 3000, size: "max" }), { maxLength: 20 });
  await assertProperty(
    fc.asyncProperty(pieces, async (pieces) => {
      using conn = await server.connect();
      const replies = new Response(conn.readable).bytes();
      for (const piece of pieces) {
        const bytes = Uint8Array.from(piece);
        for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
      }
      await conn.closeWrite();
      const latin1 = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
      const sent = latin1(Uint8Array.from(pieces.flat())).split("\n");
      if (sent.at(-1) === "") sent.pop();
      const received = latin1(await replies).split("\n");
      assertEquals(received.pop(), "");
      assertEquals(received.map((line) => unstamped(line)), sent);
    }),
    { numRuns: volume(25, 100) },
  );
});

test("server says at once where it listens, and takes IPv4 and IPv6 on one port", async () => {
  await using server = await ServerProcess.start(["--port", "0"]);
  assertEquals(server.stdout.text, `listening on tcp://[::]:${server.port}\n`);
  for (const hostname of ["127.0.0.1", "::1"]) {
    using conn = await server.connect(hostname);
    await send(conn, "hello\n");
    assertEquals(unstamped(await readLine(conn)), "hello\n");
  }
  await server.stderr.until(/open conn=1 peer=127\.0\.0\.1:\d+\n/); // not ::ffff:127.0.0.1
  await server.stderr.until(/open conn=2 peer=\[::1\]:\d+\n/);
});

test("server listens on several endpoints and names each", async () => {
  await using server = await ServerPeer.start(["tcp://127.0.0.1:0", "[::1]:0"]);
  const [, second] = await server.stdout.until(/listening on tcp:\/\/\[::1\]:(\d+)\n/);
  using conn = await Deno.connect({ hostname: "::1", port: Number(second) });
  await send(conn, "hello\n");
  assertEquals(unstamped(await readLine(conn)), "hello\n");
});

test({
  name: "server takes IPv4 alone, and says so, where there is no IPv6",
  ignore: Deno.build.os !== "linux" || Deno.build.arch !== "x86_64",
  fn: async () => {
    await using server = await ServerProcess.start(["--port", "0"], ["python3", `${TESTDATA}no_ipv6.py`]);
    assertEquals(server.stdout.text, `listening on tcp://0.0.0.0:${server.port}\n`);
    await server.stderr.until(/warn listen reason="this machine has no IPv6: listening on IPv4 alone"/);
    using conn = await server.connect();
    await send(conn, "hello\n");
    assertEquals(unstamped(await readLine(conn)), "hello\n");
  },
});

test("server takes IPv4 on a second socket where its IPv6 sockets take IPv6 alone", {
  needs: ["unshare", "sysctl"],
}, async () => {
  // A network namespace of its own has its own bindv6only, and its own loopback.
  const script = 'ip link set lo up 2>/dev/null; sysctl -qw net.ipv6.bindv6only=1 && exec "$@"';
  const allowed = await run([
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    script,
    "sh",
    "true",
  ]);
  if (allowed.code !== 0) {
    return console.log(`skipped: a network namespace is not allowed here: ${allowed.stderr}`);
  }
  await using server = await ServerProcess.start(["--port", "0"], [
    ...["unshare", "--user", "--map-root-user", "--net", "sh", "-c", script, "sh"],
  ]);
  await server.stdout.until(new RegExp(`^listening on tcp://\\[::\\]:${server.port}\n`));
  await server.stdout.until(new RegExp(`^listening on tcp://0\\.0\\.0\\.0:${server.port}\n`, "m"));
});

test("each stamp format and the tag stand in front of the line", async () => {
  const table: [string[], RegExp][] = [
    [["--stamp", "iso"], /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\] hi\n$/],
    [["--stamp", "ctime"], /^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] hi\n$/],
    [["--stamp", "unix", "--tag", "web-2"], /^\[\d{10}\.\d{6} web-2\] hi\n$/],
    [["--stamp", "none"], /^hi\n$/],
  ];
  for (const [args, pattern] of table) {
    await using server = await ServerPeer.start(args);
    using conn = await server.connect();
    await send(conn, "hi\n");
    assertMatch(await readLine(conn), pattern);
  }
});

test("the ctime stamp is local time", async () => {
  const minutes = async (zone: string) => {
    await using server = await ServerProcess.start(["--stamp", "ctime"], ["env", `TZ=${zone}`]);
    using conn = await server.connect();
    await send(conn, "\n");
    const [, hour, minute] = /(\d\d):(\d\d):\d\d/.exec(await readLine(conn))!;
    return Number(hour) * 60 + Number(minute);
  };
  const ahead = await minutes("Asia/Tokyo") - await minutes("America/Bogota"); // 14 hours, neither has summer time
  assert([0, 1, 1439].includes((14 * 60 - ahead + 2 * 1440) % 1440), `${ahead} minutes`);
});

test("a classic Python client works with chunk framing and ctime stamps", async () => {
  await using server = await ServerPeer.start(["--framing", "chunk", "--stamp", "ctime", "--port", "0"]);
  for (const host of ["127.0.0.1", "::1"]) {
    const { stdout } = await run(
      ["python3", `${TESTDATA}classic_client.py`, host, String(server.port)],
      "hello\nwith blanks and ümläuts\n\nnot sent\n",
    );
    assertMatch(
      stdout,
      /^\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] hello\n\[[^\]]+\] with blanks and ümläuts\n$/,
    );
  }
});

test("without stamps and in chunk framing the server is a plain echo, RFC 862", async () => {
  await using server = await ServerPeer.start(["--framing", "chunk", "--stamp", "none"]);
  using conn = await server.connect();
  const echoed = readAll(conn);
  const text = "no line end ".repeat(1000);
  await send(conn, text);
  await conn.closeWrite();
  assertEquals(await echoed, text);
});

test("foreign clients are answered", async (t) => {
  await using server = await ServerProcess.start(["--port", "0"]);
  const { port } = server;
  const clients: [string, string[]][] = [
    ["ncat", ["ncat", "127.0.0.1", String(port)]],
    ["ncat", ["ncat", "-6", "::1", String(port)]],
    ["nc", ["nc", "-N", "127.0.0.1", String(port)]],
    ["socat", ["socat", "-t10", "STDIO", `TCP4:127.0.0.1:${port}`]],
    ["socat", ["socat", "-t10", "STDIO", `TCP6:[::1]:${port}`]],
    ["socat", ["socat", "-t10", "STDIO,crnl", `TCP4:127.0.0.1:${port}`]], // CRLF at the end, as telnet sends
    ["python3", [
      "python3",
      "-c",
      `import socket, sys
peer = socket.create_connection(("localhost", ${port}))
peer.sendall(sys.stdin.buffer.read()); peer.shutdown(socket.SHUT_WR)
with peer.makefile("rb") as replies: sys.stdout.buffer.write(replies.read())`,
    ]],
  ];
  for (const [program, command] of clients) {
    await t.step({
      name: command.slice(0, 3).join(" ").replaceAll(/\n.*|\d{4,}/gs, ""),
      ignore: lacking([program]).length > 0,
      fn: async () => {
        const { stdout, code } = await run(command, "hello\ntwo words\n\nlast");
        assertEquals(code, 0);
        const lines = stdout.replaceAll("\r", "").split("\n");
        assertEquals(lines.pop(), "");
        assertEquals(lines.map((line) => unstamped(line)), ["hello", "two words", "", "last"]);
      },
    });
  }
});

test("a line that ends in CRLF keeps its CR", async () => {
  await using server = await ServerPeer.start();
  using conn = await server.connect();
  await send(conn, "telnet\r\n");
  assertEquals(unstamped(await readLine(conn)), "telnet\r\n");
});

test("the log tells of each connection, in text and in JSON", async () => {
  for (const format of ["text", "json"]) {
    await using server = await ServerProcess.start(["--log", format]);
    {
      using conn = await server.connect();
      await send(conn, "one\ntwo\n");
      await readLine(conn);
      await conn.closeWrite();
      await readAll(conn);
    }
    await server.stderr.until(/close/);
    assertEquals(await server.stop(), 0);
    if (format === "text") {
      assertMatch(
        server.stderr.text,
        /^\S+Z info start pid=\d+ .*max_conns=\d+ .*\n\S+Z info open conn=1 peer=127\.0\.0\.1:\d+\n\S+Z info close conn=1 peer=127\.0\.0\.1:\d+ lines=2 bytes_in=8 bytes_out=68 duration_s=[\d.]+ reason="closed by peer"\n\S+Z info drain connections=0\n\S+Z info end connections=1 lines=2 bytes_in=8 bytes_out=68 cut=0 refused=0 duration_s=[\d.]+\n$/,
      );
    } else {
      const events = server.stderr.text.trimEnd().split("\n").map((line) => JSON.parse(line));
      assertEquals(events.map(({ event }) => event), ["start", "open", "close", "drain", "end"]);
      assertEquals(events[2].reason, "closed by peer");
      assertEquals([events[4].lines, events[4].bytes_out], [2, 68]);
      assert(typeof events[4].duration_s === "number");
    }
  }
});

test("a quiet server logs warnings only", async () => {
  await using server = await ServerPeer.start(["--quiet", "--max-conns", "1"]);
  {
    using held = await server.connect();
    await send(held, "hello\n");
    await readLine(held);
    using refused = await server.connect();
    assertEquals(await readAll(refused), "error: too many connections (1)\n");
  }
  await server.stop();
  assertMatch(
    server.stderr.text,
    /^\S+Z warn refuse reason="too many connections" count=1 total=1 last_peer=\S+\n$/,
  );
});

test("the most connections by default are 64 less than the descriptor limit, or 10,000", async () => {
  for (const [limit, expected] of [[1024, 960], [100, 36], [64, 1]] as const) {
    await using server = await ServerProcess.start([], ["sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh"]);
    await server.stderr.until(new RegExp(`max_conns=${expected} `));
  }
  const [hard] = /^\d+/.exec((await run(["sh", "-c", "ulimit -n"])).stdout) ?? ["unlimited"];
  await using server = await ServerProcess.start();
  await server.stderr.until(new RegExp(`max_conns=${Math.min(10_000, (Number(hard) || Infinity) - 64)} `));
});

test("a server whose stdout and log nobody reads any more serves on", async () => {
  const [command, ...args] = [...TSECHO, "server", "tcp://127.0.0.1:0"];
  const child = new Deno.Command(command!, { args, stdout: "piped", stderr: "piped" }).spawn();
  try {
    const stdout = child.stdout.getReader();
    const { value } = await stdout.read();
    const port = Number(/:(\d+)\n$/.exec(new TextDecoder().decode(value))![1]);
    await stdout.cancel();
    await child.stderr.cancel();
    for (const text of ["hello\n", "again\n"]) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await send(conn, text);
      assertEquals(unstamped(await readLine(conn)), text);
    }
  } finally {
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
  }
});

test("a peer that resets in the middle of a line ends its own connection only", async () => {
  await using server = await ServerPeer.start();
  using other = await server.connect();
  await python("reset", server.port, 3, "one\nhalf a li");
  await server.stderr.until(/lines=1 bytes_in=13 .*reason="reset by peer"/);
  await send(other, "hello\n");
  assertEquals(unstamped(await readLine(other)), "hello\n");
});

test("a port in use is said in one line", async () => {
  await using server = await ServerPeer.start();
  const { code, stderr } = await tsecho(["server", `127.0.0.1:${server.port}`]);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `tsecho: Cannot listen on "tcp://127.0.0.1:${server.port}": the port is in use; ` +
      "stop the program that holds it or choose another port\n",
  );
  assertStringIncludes(server.stdout.text, "listening on");
});
