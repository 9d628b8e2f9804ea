/** Datagrams: the server's answers and silences, and what the client makes of what is lost. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import {
  ascii,
  eventually,
  python,
  Running,
  ServerPeer,
  Terminal,
  TSECHO,
  tsecho,
  unstamped,
  within,
} from "./helpers.ts";

/** A socket that a test talks to a server from. */
class Peer implements Disposable {
  readonly #socket: Deno.DatagramConn;

  constructor(readonly port: number, readonly hostname = "127.0.0.1", from = 0) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: from });
  }

  async send(bytes: Uint8Array | string): Promise<void> {
    const to = { transport: "udp" as const, hostname: this.hostname, port: this.port };
    await this.#socket.send(typeof bytes === "string" ? ascii(bytes) : bytes, to);
  }

  async receive(): Promise<Uint8Array> {
    const [bytes] = await within(this.#socket.receive(new Uint8Array(65536)), "a datagram");
    return bytes;
  }

  async ask(bytes: Uint8Array | string): Promise<string> {
    await this.send(bytes);
    return new TextDecoder("latin1").decode(await this.receive());
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A server of datagrams made of a function, which gets each datagram and a way to answer it. */
function fakeServer(
  answer: (bytes: Uint8Array, reply: (bytes: Uint8Array) => Promise<void>, from: Deno.Addr) => unknown,
) {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const loop = (async () => {
    for (;;) {
      try {
        const [bytes, from] = await socket.receive();
        await answer(bytes, async (reply) => void await socket.send(reply, from), from);
      } catch {
        return;
      }
    }
  })();
  return {
    url: `udp://127.0.0.1:${(socket.addr as Deno.NetAddr).port}`,
    async [Symbol.asyncDispose]() {
      socket.close();
      await loop;
    },
  };
}

test("datagrams of every size are answered by one each, byte for byte", async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0", "--tag", "web-2"]);
  using peer = new Peer(server.port);
  for (const size of [0, 1, 2, 1472, 9000, 65000]) {
    const payload = Uint8Array.from({ length: size }, (_, i) => i * 7 + size);
    const reply = await peer.ask(payload);
    const [, text] = /^\[[^\]]{27} web-2\] ([^]*)$/.exec(reply)!;
    assertEquals(text!.length, size);
    assert(text === new TextDecoder("latin1").decode(payload), `${size} bytes differ`);
  }
  // One that leaves no room for the stamp cannot be answered, and is counted.
  await peer.send(new Uint8Array(65507));
  await server.stderr.until(/warn drop reason="the answer cannot be sent" count=1 /);
  assertMatch(await peer.ask("after it"), /after it$/);
});

const DATAGRAMS = volume(2000, 100_000);

test(`${DATAGRAMS} datagrams, one after the other, are all answered`, { level: "sized" }, async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0", "--udp-rate", "0"]);
  const { stdout } = await python("udp_loop", "127.0.0.1", server.port, DATAGRAMS);
  console.log(stdout.trim());
  assertStringIncludes(stdout, `${DATAGRAMS} of ${DATAGRAMS} answered`);
  await server.stop();
  assertStringIncludes(server.stderr.text, `datagrams=${DATAGRAMS} dropped=0`);
});

test("a server takes datagrams over IPv4 and IPv6 on one port, beside TCP on the same", async () => {
  await using server = await ServerPeer.start(["udp://:0", "tcp://:0"]);
  for (const hostname of ["127.0.0.1", "::1"]) {
    using peer = new Peer(server.portOf("udp"), hostname);
    assertEquals(unstamped(await peer.ask("hello\n")), "hello\n");
  }
});

test("what looks like a reply is not answered", async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
  using peer = new Peer(server.port);
  const reply = await peer.ask("hello");
  await peer.send(reply);
  await peer.send("[Mon Nov 23 03:37:00 2026 web-2] hello");
  assertEquals(unstamped(await peer.ask("next")), "next"); // and not the replies to the two before
  await server.stop();
  assertMatch(server.stderr.text, /warn drop reason="it looks like a reply" count=1 total=1 last_peer=127/);
  assertStringIncludes(server.stderr.text, "datagrams=2 dropped=2");
});

test("two servers that a forged datagram points at each other exchange one reply and no more", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using one = await ServerPeer.start(["udp://127.0.0.1:0", "--stamp", "ctime", "--udp-rate", "0"]);
  await using other = await ServerPeer.start(["udp://127.0.0.1:0", "--tag", "b", "--udp-rate", "0"]);
  const { stdout } = await python("udp_spoof", one.port, other.port, "hello");
  if (stdout !== "sent\n") return console.log(`skipped: ${stdout}`);
  await one.stderr.until(/warn drop reason="it looks like a reply" count=1 total=1 /);
  // To itself, too.
  await python("udp_spoof", one.port, one.port, "hello");
  await one.stderr.until(/warn drop reason="sent by an own socket" count=1 total=1 /);
  assertEquals([await one.stop(), await other.stop()], [0, 0]);
  assertStringIncludes(other.stderr.text, "datagrams=1 dropped=0");
  assertStringIncludes(one.stderr.text, "datagrams=0 dropped=2");
});

test("a source port below 1024 gets no answer", { ignore: Deno.build.os !== "linux" }, async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
  let low;
  for (let port = 1023; low === undefined && port > 1000; port--) {
    try {
      low = new Peer(server.port, "127.0.0.1", port);
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) {
        return console.log("skipped: no right to a low port");
      }
    }
  }
  using peer = low!;
  await peer.send("hello");
  await server.stderr.until(
    /warn drop reason="source port below 1024" count=1 total=1 last_peer=127.0.0.1:10\d\d\n/,
  );
  await server.stop();
  assertStringIncludes(server.stderr.text, "datagrams=0 dropped=1");
});

test("one source gets no more answers a second than --udp-rate, and the log stays short", async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0", "--udp-rate", "10"]);
  using peer = new Peer(server.port);
  const start = performance.now();
  for (let i = 0; i < 200; i++) await peer.send(`${i}`);
  await server.stderr.until(/warn drop reason="more than 10 a second from one source" count=1 total=1 /);
  const most = () => 10 * ((performance.now() - start) / 1000 + 1);
  const dropped = () => Number([...server.stderr.text.matchAll(/ total=(\d+) /g)].at(-1)![1]);
  await eventually(() => dropped() >= 200 - most(), "the rest, which is logged with the next tick");
  await server.stop();
  const [, answered, refused] = /datagrams=(\d+) dropped=(\d+)/.exec(server.stderr.text)!;
  console.log(`${answered} answered, ${refused} dropped`);
  assertEquals(Number(answered) + Number(refused), 200);
  assert(Number(answered) >= 10 && Number(answered) <= most(), `${answered} answered`);
  assertLess(server.stderr.text.match(/warn drop/g)!.length, 5);
});

test("the client sends messages as datagrams and prints the replies", async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
  const { code, stdout, stderr } = await tsecho([
    "client",
    server.url("udp"),
    "-m",
    "one",
    "-m",
    "",
    "-m",
    "three",
  ]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.split("\n").slice(0, -1).map((line) => unstamped(line)), ["one", "", "three"]);
});

test("the client as a filter: every line a datagram, every reply a line", { level: "large" }, async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0", "--udp-rate", "0"]);
  const input = Array.from({ length: volume(2000, 20_000) }, (_, i) => `line ${i}\n`).join("") + "the rest";
  const { code, stdout, stderr } = await tsecho(["client", server.url("udp"), "--udp-rate", "0"], input);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.replaceAll(/^\[.{27}\] /gm, ""), input + "\n");
});

test("a filter stays below the rate of a server, and below its own", { level: "slow" }, async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
  const start = performance.now();
  const { code, stderr } = await tsecho(["client", server.url("udp")], "x\n".repeat(1500));
  assertEquals([code, stderr], [0, ""]);
  // A lower bound, which holds however slow the machine is.
  assert(performance.now() - start > 2500, "1,500 lines in less than 2.5 s are more than 500 a second");
});

test("what is lost, doubled or out of order is counted, and lost is a failure", async () => {
  // Drops every tenth, answers every tenth twice, and two in turn the other way round.
  let held: (() => Promise<void>) | undefined;
  let count = 0;
  await using server = fakeServer(async (bytes, reply) => {
    const number = count++;
    if (number % 10 === 0) return;
    if (number % 10 === 1) await reply(bytes);
    if (number % 10 === 2) held = () => reply(bytes);
    else await reply(bytes);
    if (number % 10 === 3) await held!();
  });
  const input = Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join("");
  const { code, stdout, stderr } = await tsecho(["client", server.url, "--timeout", "5s"], input);
  assertEquals([code, stdout.split("\n").length - 1], [1, 90]);
  assertEquals(
    stderr,
    `tsecho: Cannot get every line answered by "${server.url}": no reply in 5 s; ` +
      "10 of 100 lines sent were not answered; 10 of 90 replies came out of order\n",
  );
});

test("replies out of order alone are no failure, but said", async () => {
  const held: (() => Promise<void>)[] = [];
  await using server = fakeServer(async (bytes, reply) => {
    held.push(() => reply(bytes));
    if (held.length === 3) { for (const answer of held.reverse()) await answer(); }
  });
  const { code, stdout, stderr } = await tsecho(["client", server.url], "a\nb\nc\n");
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "c\nb\na\n",
    stderr: "tsecho: 2 of 3 replies came out of order\n",
  });
});

test("a lost message is said, and the next is sent all the same", async () => {
  let count = 0;
  await using server = fakeServer((bytes, reply) => count++ === 1 ? undefined : reply(bytes));
  const { code, stdout, stderr } = await tsecho([
    ...["client", server.url, "--timeout", "3s", "-m", "a", "-m", "b", "-m", "c"],
  ]);
  assertEquals([code, stdout], [1, "a\nc\n"]);
  assertEquals(
    stderr,
    "tsecho: no reply in 3 s\n" +
      `tsecho: Cannot get every line answered by "${server.url}": no reply in 3 s; 1 of 3 lines sent was not answered\n`,
  );
});

test("a stranger's datagram is no reply", async () => {
  await using server = fakeServer(async (bytes, reply, from) => {
    using stranger = new Peer((from as Deno.NetAddr).port);
    await stranger.send("[1795405020.123456 stranger] hello\n");
    await reply(ascii(`[1795405020.123456 server] ${new TextDecoder().decode(bytes)}`));
  });
  const { code, stdout } = await tsecho(["client", server.url, "-m", "hello"]);
  assertEquals([code, stdout], [0, "[1795405020.123456 server] hello\n"]);
});

test("a line too long for a datagram is a clear error, however long it is", { level: "slow" }, async () => {
  await using server = await ServerPeer.start(["udp://127.0.0.1:0"]);
  const reason = "a line of 65507 bytes is the longest that a datagram carries";
  const expected = `tsecho: Cannot send to "${server.url("udp")}": ${reason}\n`;
  for (const input of ["x".repeat(65507) + "\n", "x".repeat(10_000_000)]) {
    const { code, stdout, stderr } = await tsecho(["client", server.url("udp")], input);
    assertEquals({ code, stdout, stderr }, { code: 1, stdout: "", stderr: expected });
  }
  const { code, stderr } = await tsecho(["client", server.url("udp"), "-m", "x".repeat(65507)]);
  assertEquals({ code, stderr }, { code: 1, stderr: expected });
});

test("nobody there is told after the timeout", async () => {
  const { code, stdout, stderr } = await tsecho(
    ["client", "udp://127.0.0.1:9", "--timeout", "200ms"],
    "a\nb\n",
  );
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "no reply in 200 ms; 2 of 2 lines sent were not answered");
});

test("SIGINT ends a filter that waits", async () => {
  const received = Promise.withResolvers<void>();
  await using server = fakeServer(() => received.resolve());
  await using client = new Running([...TSECHO, "client", server.url]);
  await client.write("hello\n");
  await within(received.promise, "the datagram");
  client.kill("SIGINT");
  assertEquals(await client.code(), 1);
  assertStringIncludes(client.stderr.text, "interrupted");
});

test(
  "the prompt over UDP goes on after a loss, and ends with 1",
  { needs: ["python3"] },
  async () => {
    let count = 0;
    await using server = fakeServer((bytes, reply) => count++ === 0 ? undefined : reply(bytes));
    await using terminal = new Terminal([...TSECHO, "client", server.url, "--timeout", "3s"]);
    await terminal.shows("> ");
    await terminal.write("lost\n");
    await terminal.shows("no reply in 3 s");
    await terminal.shows("> ");
    await terminal.write("found\n");
    await terminal.shows(/found\r?\n/);
    await terminal.write("\n");
    await terminal.shows("1 of 2 lines sent was not answered");
    assertEquals(await terminal.code(), 1);
  },
);
