/** The client in a pipe and with --message, against tsecho's server and others. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test, lacking, volume } from "./harness.ts";
import {
  freePort,
  python,
  residentKiB,
  run,
  Running,
  ServerPeer,
  TESTDATA,
  TSECHO,
  tsecho,
  unstamped,
  within,
} from "./helpers.ts";
import { fakeServer } from "./peers.ts";

const buffer = () => new Uint8Array(65536);
const encode = (text: string) => new TextEncoder().encode(text);

test("the piped client prints a reply for each line, and exits with 0", async () => {
  await using server = await ServerPeer.start();
  const { code, stdout, stderr } = await tsecho(
    ["client", `:${server.port}`, "-4"],
    "one\n\nthree without LF",
  );
  assertEquals([code, stderr], [0, ""]);
  const replies = stdout.split("\n");
  assertEquals([replies.length, replies.at(-1)], [4, ""]);
  assertEquals(replies.slice(0, 3).map((line) => unstamped(line)), ["one", "", "three without LF"]);
});

test("an empty input is answered in full", async () => {
  await using server = await ServerPeer.start();
  assertEquals(await tsecho(["client", `127.0.0.1:${server.port}`]), { code: 0, stdout: "", stderr: "" });
});

test("--message sends, prints the reply and ends; it may repeat", async () => {
  await using server = await ServerPeer.start();
  const { code, stdout } = await tsecho([
    "client",
    `127.0.0.1:${server.port}`,
    "-m",
    "a b",
    "--message=",
    "-m",
    "-1",
  ]);
  assertEquals(code, 0);
  assertEquals(stdout.split("\n").slice(0, -1).map((line) => unstamped(line)), ["a b", "", "-1"]);
});

test("-4 and -6 choose the IP version", async () => {
  await using server = await ServerPeer.start(["--port", "0"]);
  for (const [option, host] of [["-4", "localhost"], ["-4", "127.0.0.1"], ["-6", "::1"]] as const) {
    assertEquals(
      (await tsecho(["client", "--host", host, "--port", `${server.port}`, option, "-m", "hi"])).code,
      0,
    );
  }
  await server.stderr.until(/open conn=1 peer=127/);
  await server.stderr.until(/open conn=3 peer=\[::1\]/);
  const { code, stderr } = await tsecho(["client", `[::1]:${server.port}`, "-4", "-m", "hi"]);
  assertEquals([code, stderr], [2, 'tsecho: Cannot use option "-4": "::1" is an IPv6 address\n']);
});

const MEBIBYTES = volume(8, 200);

test(`${MEBIBYTES} MiB of random lines through the piped client come back, in little memory`, {
  ignore: Deno.build.os !== "linux",
  level: "large",
}, async () => {
  await using server = await ServerPeer.start(["--quiet"]);
  const dir = await Deno.makeTempDir();
  try {
    await run(["sh", "-c", 'head -c "$1" /dev/urandom > "$0/in"', dir, `${MEBIBYTES * 2 ** 20}`]);
    const start = performance.now();
    const { code, stderr } = await run([
      ...["sh", "-c", 'exec "$@" < "$0/in" > "$0/out"', dir],
      ...["python3", `${TESTDATA}peak_memory.py`, ...TSECHO, "client", `127.0.0.1:${server.port}`],
    ]);
    const seconds = (performance.now() - start) / 1000;
    assertEquals(code, 0, stderr);
    const { stdout: lines } = await python("same_lines", `${dir}/in`, `${dir}/out`);
    const client = Number(stderr);
    const peak = await residentKiB(server.pid, "VmHWM");
    console.log(
      `${lines.trim()} lines in ${seconds.toFixed(1)} s; peak resident: ` +
        `client ${Math.round(client / 1024)} MiB, server ${Math.round(peak / 1024)} MiB`,
    );
    assertLess(client, 120 * 1024);
    assertLess(peak, 120 * 1024);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

test("a line that the server refuses is told, with the number of lines not answered", async () => {
  await using server = await ServerPeer.start(["--max-line", "10"]);
  const url = `tcp://127.0.0.1:${server.port}`;
  const { code, stdout, stderr } = await tsecho(["client", url], "short\nmuch too long\nnever reached\n");
  assertEquals(code, 1);
  assertEquals(unstamped(stdout), "short\n"); // the error is no reply
  assertEquals(
    stderr,
    `tsecho: Cannot get every line answered by "${url}": the server says: line longer than 10 bytes; ` +
      "2 of 3 lines sent were not answered\n",
  );
  const one = await tsecho(["client", url, "-m", "much too long"]);
  assertEquals([one.code, one.stdout], [1, ""]);
  assertEquals(one.stderr, `tsecho: Cannot talk to "${url}": the server says: line longer than 10 bytes\n`);
});

test("a server that goes before all is answered makes the exit code 1", async () => {
  await using server = fakeServer(async (conn) => {
    await conn.read(buffer());
    await conn.write(encode("[now] one\n"));
  });
  const { code, stdout, stderr } = await tsecho(["client", server.url], "one\ntwo\nthree\n");
  assertEquals([code, stdout], [1, "[now] one\n"]);
  assertMatch(
    stderr,
    /^tsecho: Cannot get every line answered by "[^"]+": .*; 2 of 3 lines sent were not answered\n$/,
  );
});

test("a server that goes while the input is still open ends the client with 1", async () => {
  await using server = await ServerPeer.start();
  await using client = new Running([...TSECHO, "client", `127.0.0.1:${server.port}`]);
  await client.write("hello\n");
  await client.stdout.until(/\] hello\n/);
  server.kill("SIGTERM");
  assertEquals(await client.code(), 1);
  assertMatch(client.stderr.text, /^tsecho: Cannot talk to "[^"]+": the server closed the connection\n$/);
});

test("no reply within --timeout ends the client with 1", async () => {
  await using server = fakeServer(async (conn) => {
    while (await conn.read(buffer()) !== null);
    await conn.read(buffer());
  });
  const piped = await tsecho(["client", server.url, "--timeout", "200ms"], "one\ntwo");
  assertEquals(piped.code, 1);
  assertStringIncludes(piped.stderr, "2 of 2 lines sent were not answered");
  const one = await tsecho(["client", server.url, "--timeout", "200ms", "-m", "one"]);
  assertEquals([one.code, one.stderr], [1, `tsecho: Cannot talk to "${server.url}": no reply in 200 ms\n`]);
});

test("a server that takes no more of a long line does not hold the client", async () => {
  await using server = fakeServer(async (conn) => {
    await conn.write(encode("."));
    await new Promise<void>((resolve) => wake = resolve);
  });
  let wake = () => {};
  const args = ["client", server.url, "--timeout", "300ms", "--no-verify"];
  const { code, stderr } = await tsecho(args, "x".repeat(20_000_000));
  wake();
  assertEquals(
    [code, stderr.includes("no reply in 300 ms; 1 of 1 line sent was not answered")],
    [1, true],
    stderr,
  );
});

test("what is no reply does not prolong the wait for one", { level: "slow" }, async () => {
  for (const [drop, timeout, code] of [[".", "300ms", 1], ["[now] one\n", "10s", 0]] as const) {
    await using server = fakeServer(async (conn) => {
      for (;;) {
        await conn.write(encode(drop));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    const outcome = await tsecho(["client", server.url, "--timeout", timeout, "--no-verify"], "one\n");
    assertEquals(outcome.code, code, outcome.stderr);
  }
});

test("what stands in the way of reading or writing is said", async () => {
  await using server = await ServerPeer.start();
  const client = [...TSECHO, "client", `127.0.0.1:${server.port}`];
  const sh = (script: string, ...args: string[]) => run(["sh", "-c", script, "sh", ...args]);
  for (const framing of ["line", "chunk"]) {
    const folder = await sh('"$@" < /', ...client, "--framing", framing);
    assertEquals([folder.code, folder.stderr], [
      1,
      'tsecho: Cannot read "standard input": it is a directory\n',
    ]);
  }
  for (const args of [["-m", "hello"], []]) {
    const full = await sh('echo hello | "$@" > /dev/full', ...client, ...args);
    assertEquals([full.code, full.stderr], [
      1,
      'tsecho: Cannot write "standard output": there is no space left\n',
    ]);
  }
});

test("a first line that looks like an error is echoed at once by a server without stamps", async () => {
  await using server = await ServerPeer.start(["--stamp", "none"]);
  await using client = new Running([...TSECHO, "client", `127.0.0.1:${server.port}`]);
  for (const line of ["error: 1\n", "plain\n", "[x\nerror: 2\n"]) {
    await client.write(line);
    await client.stdout.until(new RegExp(`(^|\n)${line.replace("[", "\\[")}$`));
  }
  await client.closeInput();
  assertEquals(await client.code(), 0);
});

test("SIGINT ends the input: what is under way is still answered", async () => {
  await using server = await ServerPeer.start();
  await using client = new Running([...TSECHO, "client", `127.0.0.1:${server.port}`]);
  await client.write("hello\nhalf a line");
  await client.stdout.until(/\] hello\n/);
  client.kill("SIGINT");
  assertEquals(await client.code(), 1); // it cannot be told from a complete run otherwise
  assertMatch(client.stdout.text, /\] half a line\n$/);
  assertMatch(client.stderr.text, /^tsecho: Cannot talk to "[^"]+": interrupted\n$/);
});

test("SIGINT ends the wait for a reply to a message", async () => {
  const read = Promise.withResolvers<void>();
  await using server = fakeServer(async (conn) => {
    await conn.read(buffer());
    read.resolve();
    await conn.read(buffer());
  });
  await using client = new Running([...TSECHO, "client", server.url, "--timeout", "0", "-m", "hello"]);
  await within(read.promise, "the message");
  client.kill("SIGINT");
  assertEquals(await client.code(), 1);
  assertEquals(client.stderr.text, `tsecho: Cannot talk to "${server.url}": interrupted\n`);
});

test("a reader of stdout that has seen enough ends the client quietly", async () => {
  await using server = await ServerPeer.start(["--quiet"]);
  const { code, stdout, stderr } = await run([
    ...["sh", "-c", 'seq 1000000 | "$@" | head -n 1', "sh", ...TSECHO, "client", `127.0.0.1:${server.port}`],
  ]);
  assertEquals([code, unstamped(stdout), stderr], [0, "1\n", ""]);
});

test("into a pipe replies go byte for byte, control characters included", async () => {
  await using server = await ServerPeer.start();
  const { stdout } = await tsecho(["client", `127.0.0.1:${server.port}`], "\x1b[31mred\x00\r\n");
  assertEquals(unstamped(stdout), "\x1b[31mred\x00\r\n");
});

test(
  "an error reply without a reason is told as what it is, with its LF and without",
  { level: "slow" },
  async () => {
    for (const error of ["error: \n", "error: "]) {
      await using server = fakeServer(async (conn) => {
        await conn.read(buffer());
        await conn.write(encode(error));
      });
      const said = "the server sent an error without a reason";
      const one = await tsecho(["client", server.url, "-m", "x"]);
      assertEquals(one.stderr, `tsecho: Cannot talk to "${server.url}": ${said}\n`);
      const piped = await tsecho(["client", server.url], "x\n");
      assertEquals(
        piped.stderr,
        `tsecho: Cannot get every line answered by "${server.url}": ${said}; 1 of 1 line sent was not answered\n`,
      );
      const pinged = await tsecho(["ping", server.url, "-c", "1"]);
      assertStringIncludes(pinged.stdout, `no reply to seq=1: ${said}\n`);
    }
  },
);

test("an error reply's control characters are escaped on stderr", async () => {
  await using server = fakeServer(async (conn) => {
    await conn.read(buffer());
    await conn.write(encode("error: \x1b[31mno\n"));
  });
  const { stderr } = await tsecho(["client", server.url, "-m", "x"]);
  assertStringIncludes(stderr, "the server says: \\x1b[31mno");
  assert(!stderr.includes("\x1b"));
});

test(
  "in chunk framing each piped line is a message, and waits for its reply",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start(["--framing", "chunk", "--stamp", "none"]);
    const input = "one\n\n" + "x".repeat(3000) + "\nlast without LF";
    const { code, stdout } = await tsecho(
      ["client", `127.0.0.1:${server.port}`, "--framing", "chunk"],
      input,
    );
    assertEquals([code, stdout], [0, input]);
  },
);

test("a reply in chunk framing may come in pieces, or say something else", async () => {
  await using server = fakeServer(async (conn) => {
    const message = buffer();
    const n = await conn.read(message);
    await conn.write(encode("[now] "));
    await new Promise((resolve) => setTimeout(resolve, 20)); // two pieces, not one
    await conn.write(message.subarray(0, n!));
    await conn.read(message);
    await conn.write(encode("[now] 250 ok"));
    await conn.read(message);
  });
  const { code, stdout } = await tsecho([
    "client",
    server.url,
    "--framing",
    "chunk",
    "--no-verify",
    "-m",
    "hello",
    "-m",
    "helo",
  ]);
  assertEquals([code, stdout], [0, "[now] hello\n[now] 250 ok\n"]);
});

test("a filter over UDP prints the last reply to the end, however slow stdout's reader is", async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
  // The second reply does not fit into the pipe beside the first, and waits for a reader longer than the filter's
  // look-out for late replies, 100 ms.
  const script = '"$@" | { sleep 1; cat; }';
  const input = `${"a".repeat(60_000)}\n${"b".repeat(60_000)}\n`;
  const { stdout } = await run(["sh", "-c", script, "sh", ...TSECHO, "client", server.url("udp")], input);
  assertEquals(stdout.replaceAll(/^\[.{27}\] /gm, ""), input);
});

test("the client talks to foreign servers", async (t) => {
  const servers: [string, (port: number) => string[]][] = [
    ["ncat", (port) => ["ncat", "-l", "127.0.0.1", `${port}`, "-e", "/bin/cat"]],
    ["socat", (port) => ["socat", `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr`, "EXEC:cat"]],
  ];
  for (const [program, command] of servers) {
    await t.step({
      name: program,
      ignore: lacking([program]).length > 0,
      fn: async () => {
        const port = freePort();
        await using _server = new Running(command(port));
        const talk = async () => {
          await using client = new Running([...TSECHO, "client", `127.0.0.1:${port}`]);
          await client.write("hello\ntwo words\n");
          // Their -e and EXEC end with the input, whatever the program has still to say.
          await Promise.race([client.stdout.until(/^hello\ntwo words\n$/), client.stdout.done]);
          await client.closeInput();
          return { code: await client.code(), stderr: client.stderr.text };
        };
        let outcome;
        do outcome = await talk(); while (outcome.stderr.includes("connection refused")); // it is still starting
        assertEquals(outcome, { code: 0, stderr: "" });
      },
    });
  }
});
