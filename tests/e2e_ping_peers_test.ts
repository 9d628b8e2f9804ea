/** Ping against peers that do what a network and a server may do. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { copyCertificates, Folder, ServerPeer, ServerProcess, tsecho, within } from "./helpers.ts";
import { needsTlsServer } from "./tls_helpers.ts";
import { countsOf, NONE, pingJson, type Saved, untilEnd, withoutMissed, withPeer } from "./ping_helpers.ts";
import { seqOf } from "./peers.ts";

/** Answers datagrams as a server does, and as `mistreat` says. */
class DatagramRelay implements AsyncDisposable {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;

  /** @param mistreat is given each line's number, its reply, and what sends something to ping. */
  constructor(mistreat: (seq: number, reply: string, send: (reply: string) => void) => void) {
    this.#serving = this.#serve(mistreat);
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async #serve(mistreat: (seq: number, reply: string, send: (reply: string) => void) => void): Promise<void> {
    for (;;) {
      let line, from: Deno.Addr;
      try {
        [line, from] = await this.#socket.receive();
      } catch {
        return; // closed
      }
      const text = new TextDecoder().decode(line);
      const micros = Temporal.Now.instant().epochNanoseconds / 1000n;
      const reply = `[${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, "0")}] ${text}`;
      mistreat(
        seqOf(text),
        reply,
        (it) => void this.#socket.send(new TextEncoder().encode(it), from).catch(() => {}),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await within(this.#serving, "the relay to end");
  }
}

test("ping tells lost, duplicated, reordered, late and changed datagrams apart", async () => {
  const held = new Map<number, string>();
  let late: ReturnType<typeof setTimeout> | undefined;
  const lost = new Set([3, 11, 58]);
  const twice = new Set([5, 6]);
  await using relay = new DatagramRelay((seq, reply, send) => {
    if (lost.has(seq)) return;
    if (seq === 8) held.set(8, reply); // comes after 9: reordered
    else if (seq === 13) late = setTimeout(() => send(reply), 2300); // was given up by then
    else if (seq === 15) send(reply.replace(/.$/, "!")); // changed, and so lost as well
    else if (seq === 16) {
      send(reply);
      send("[1795405020.123456] of somebody else");
    } else {
      send(reply);
      if (twice.has(seq)) send(reply);
    }
    if (seq === 9) send(held.get(8)!);
  });
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  // The last line that is lost keeps the run going for another 2 s.
  const args = ["-c", "60", "-i", "0.05", "-W", "2", "-q", "--json", file];
  const { stdout, stderr } = await tsecho(["ping", `udp://127.0.0.1:${relay.port}`, ...args])
    .finally(() => clearTimeout(late));
  assertEquals(stderr, "");
  const { end, replies } = JSON.parse(await Deno.readTextFile(file)) as Saved;
  assertEquals(countsOf(end), {
    sent: 60,
    received: 55,
    lost: 5,
    late: 1,
    duplicates: 2,
    reordered: 1,
    corrupt: 2,
  });
  const having = (fate: string) => replies.filter((it) => it.fate === fate).map(({ seq }) => seq);
  assertEquals(having("lost").filter((seq) => seq !== 13), [3, 11, 15, 58]);
  assertEquals([having("duplicate"), having("reordered"), having("late")], [[5, 6], [8], [13]]);
  assertMatch(
    withoutMissed(stdout),
    /^60 lines transmitted, 55 received, \+2 duplicates, 5 lost \(1 of these late\), 1 reordered, 2 corrupt, 8\.33% loss, time [\d.]+ m?s$/m,
  );
});

test("ping exits with 1 when a server never answers", async () => {
  await withPeer(untilEnd, async (port) => {
    const { code, stdout } = await tsecho([
      "ping",
      `127.0.0.1:${port}`,
      "-c",
      "2",
      "-i",
      "0",
      "-W",
      "0.1",
    ]);
    assertEquals(code, 1);
    assertStringIncludes(stdout, "no reply to seq=1 in 100 ms\n");
    assertStringIncludes(stdout, "2 lines transmitted, 0 received, 100% loss");
  });
  await withPeer(untilEnd, async (port) => {
    const { end } = await pingJson([`127.0.0.1:${port}`, "-i", "10", "-w", "2"], 1);
    assertEquals([countsOf(end), end.pending], [{ ...NONE, sent: 1, received: 0 }, 1]);
  });
});

test("ping counts what is no reply as corrupt, never as a round trip", async () => {
  const noise = "HTTP/1.1 400 Bad Request\r\n\r\n" + "x".repeat(100_000) + "\nno line end";
  await withPeer(async (conn) => {
    await conn.read(new Uint8Array(1000));
    await conn.write(new TextEncoder().encode(noise));
  }, async (port) => {
    const { end, stderr } = await pingJson([`127.0.0.1:${port}`, "-c", "1"], 1);
    assertEquals(countsOf(end), { ...NONE, sent: 1, received: 0, lost: 1, corrupt: 4 });
    assertEquals(end.rtt, null);
    assertStringIncludes(stderr, "any further: the server closed the connection\n");
  });
});

test("ping keeps what it has when a server goes away in the middle, and says so", async () => {
  await withPeer(async (conn) => {
    const buffer = new Uint8Array(1000);
    for (let i = 0; i < 2; i++) await conn.write(buffer.subarray(0, (await conn.read(buffer))!));
    await conn.read(buffer);
  }, async (port) => {
    const { code, stdout, stderr } = await tsecho(["ping", `127.0.0.1:${port}`, "-c", "5", "-i", "0"]);
    assertEquals(code, 0); // there were replies, as for ping(8)
    assertStringIncludes(stdout, "3 lines transmitted, 2 received, 33.33% loss");
    assertEquals(
      stderr,
      `tsecho: Cannot ping "tcp://127.0.0.1:${port}" any further: the server closed the connection\n`,
    );
  });
});

test("ping keeps what a server said after the last reply to itself, and over UDP an error line is corrupt", async () => {
  const ERROR = "error: enough\n";
  await withPeer(async (conn) => {
    const buffer = new Uint8Array(1000);
    const n = (await conn.read(buffer))!;
    await conn.write(new Uint8Array([...buffer.subarray(0, n), ...new TextEncoder().encode(ERROR)]));
  }, async (port) => {
    const { end, stderr } = await pingJson([`127.0.0.1:${port}`, "-c", "1"]);
    assertEquals([end.received, end.ended, stderr], [1, null, ""]);
  });
  await withPeer(async (conn) => {
    const buffer = new Uint8Array(1000);
    for (const before of [ERROR, ""]) {
      const n = (await conn.read(buffer))!;
      await conn.write(new Uint8Array([...new TextEncoder().encode(before), ...buffer.subarray(0, n)]));
    }
  }, async (port) => {
    const { end } = await pingJson([`127.0.0.1:${port}`, "-c", "3", "-i", "0"]);
    assertEquals([end.received, end.corrupt, end.ended], [2, 1, "the server closed the connection"]);
  });
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for (let i = 0; i < 2; i++) {
      const [bytes, from] = await socket.receive();
      await socket.send(new TextEncoder().encode(ERROR.trimEnd()), from);
      await socket.send(bytes, from);
    }
  })();
  const { port } = socket.addr as Deno.NetAddr;
  const { end, stderr } = await pingJson([`udp://127.0.0.1:${port}`, "-c", "2", "-i", "0"]);
  await within(serving, "the peer to end");
  socket.close();
  assertEquals(stderr, "");
  assertEquals(countsOf(end).received, 2);
  assert(end.corrupt > 0, JSON.stringify(end));
});

test("ping goes on, or ends in order, when a TLS record is broken", {
  ...await needsTlsServer(),
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  await copyCertificates(folder);
  await using server = await ServerProcess.start([
    "tls://127.0.0.1:0",
    "--cert",
    folder.file("server.pem"),
    "--key",
    folder.file("server.key"),
  ]);
  // What the server sends after the client's first message behind the handshake is no record of this session.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const relaying = (async () => {
    for (let i = 0; i < 3; i++) {
      const client = await listener.accept();
      const upstream = await server.connect();
      let asked = 0;
      const back = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform: (bytes, it) =>
          it.enqueue(asked < 2 ? bytes : new Uint8Array([0x17, 3, 3, 0, 40, ...new Uint8Array(40)])),
      });
      const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform: (bytes, it) => {
          asked++;
          it.enqueue(bytes);
        },
      });
      void Promise.all([
        client.readable.pipeThrough(count).pipeTo(upstream.writable),
        upstream.readable.pipeThrough(back).pipeTo(client.writable),
      ]).catch(() => {});
    }
  })();
  const args = [
    `tls://127.0.0.1:${listener.addr.port}`,
    "--ca",
    folder.file("ca.pem"),
    "-c",
    "2",
    "-i",
    "0.2",
  ];
  const one = await pingJson(args, 1);
  assertMatch(one.end.ended!, /\S/);
  assertEquals(one.stderr, `tsecho: Cannot ping "${args[0]}" any further: ${one.end.ended}\n`);
  const own = await pingJson([...args, "--reconnect"], 1);
  assertEquals([own.end.sent, own.end.lost, own.end.ended, own.stderr], [2, 2, null, ""]);
  const reasons = own.replies.filter(({ fate }) => fate !== "missed").map(({ reason }) => reason);
  assertEquals(reasons, [one.end.ended!, one.end.ended!]);
  listener.close();
  await within(relaying, "the relay to end");
});

test("ping passes on why a server ends the conversation", async () => {
  await using server = await ServerPeer.start(["--max-conns", "1"]);
  using held = await server.connect();
  await held.write(new TextEncoder().encode("held\n"));
  await within(held.read(new Uint8Array(100)), "a reply");
  const { code, stderr } = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "1"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "any further: the server says: too many connections (1)\n");
  const own = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0", "--reconnect"]);
  assertEquals(own.code, 1);
  assertStringIncludes(own.stdout, "no reply to seq=2: the server says: too many connections (1)\n");
});
