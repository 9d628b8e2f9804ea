/** `tsecho ping` against real servers, and against peers that do what a network and a server may do. */
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import type { Counts, Estimate, Summary } from "../stats/summary.ts";
import { e2e as test } from "./harness.ts";
import {
  Folder,
  makeCertificates,
  type Outcome,
  residentKiB,
  run,
  Running,
  ServerProcess,
  Terminal,
  TSECHO,
  tsecho,
  within,
} from "./helpers.ts";
import { needsTlsServer, servesTls } from "./tls_helpers.ts";
import { DelayingRelay, faketime, seqOf } from "./peers.ts";

interface Saved {
  start: Record<string, unknown>;
  replies: { seq: number; fate: string; rtt: number; at: number; reason?: string }[];
  end: Summary & {
    ended: string | null;
    thresholds: { threshold: string; value: number | null; broken: boolean }[];
  };
}

/** Runs ping to its end and reads its document; the run must end with `code`. */
async function pingJson(args: string[], code = 0): Promise<Saved & { stderr: string }> {
  const outcome = await tsecho(["ping", "--json", "-", ...args]);
  assertEquals(outcome.code, code, outcome.stderr);
  return { ...JSON.parse(outcome.stdout), stderr: outcome.stderr };
}

function contains({ value, bound }: Estimate, truth: number): boolean {
  return Math.abs(value - truth) <= bound;
}

function countsOf(summary: Summary): Partial<Counts> {
  const { sent, received, lost, late, duplicates, reordered, corrupt } = summary;
  return { sent, received, lost, late, duplicates, reordered, corrupt };
}

const NONE = { lost: 0, late: 0, duplicates: 0, reordered: 0, corrupt: 0 };

test("ping works over every transport, in text and in JSON, and each line can have its own connection", async () => {
  await using folder = await Folder.make();
  await makeCertificates(folder);
  await using server = await ServerProcess.start([
    "tcp://127.0.0.1:0",
    "udp://127.0.0.1:0",
    ...(await servesTls() ? ["tls://127.0.0.1:0"] : []),
    `unix:${folder.file("s.sock")}`,
    ...(await servesTls() ? ["--cert", folder.file("server.pem"), "--key", folder.file("server.key")] : []),
  ]);
  const endpoints = server.endpoints().map(({ url }) => url);
  assertEquals(endpoints.length, await servesTls() ? 4 : 3);
  for (const endpoint of endpoints) {
    const args = [
      endpoint,
      "-c",
      "5",
      "-i",
      "0.02",
      ...(endpoint.startsWith("tls") ? ["--ca", folder.file("ca.pem")] : []),
    ];
    const text = await tsecho(["ping", ...args]);
    assertEquals(text.code, 0, text.stderr);
    assertEquals(
      text.stdout.match(/^56 bytes from \S+: seq=\d time=\d+\.\d{3} ms$/gm)?.length,
      5,
      text.stdout,
    );
    assertStringIncludes(
      text.stdout,
      `--- ${endpoint} ping statistics ---\n5 lines transmitted, 5 received, 0% loss, time `,
    );
    assertMatch(
      text.stdout,
      /^rtt min\/avg\/max\/mdev = \d+\.\d{3}\/\d+\.\d{3}\/\d+\.\d{3}\/\d+\.\d{3} ms$/m,
    );
    assertMatch(text.stdout, /^clock offset [+-]\d+\.\d{3} ms ± \d+\.\d{3} ms, no difference is proven$/m);
    assertEquals(/^connect \d/m.test(text.stdout), !endpoint.startsWith("udp"), text.stdout);
    assertEquals(/^TLS handshake \d/m.test(text.stdout), endpoint.startsWith("tls"), text.stdout);
    const { end, replies } = await pingJson(args);
    assertEquals(countsOf(end), { sent: 5, received: 5, ...NONE });
    assertEquals(
      replies.map(({ seq, fate }) => [seq, fate]),
      [1, 2, 3, 4, 5].map((seq) => [seq, "received"]),
    );
    assert(contains(end.servers[0]!.offset!, 0), JSON.stringify(end.servers));
    // One after the other: of several connections at once any may be the quickest.
    const own = await pingJson([...args, "--reconnect"].map((it) => it === "0.02" ? "0" : it));
    assertEquals(countsOf(own.end), { sent: 5, received: 5, ...NONE });
    if (!endpoint.startsWith("udp")) assertEquals(own.end.connect!.count, 5);
    if (endpoint.startsWith("tls")) assertEquals(own.end.handshake!.count, 5);
  }
});

for (const [offset, whose] of [[90, "server"], [-3, "client"]] as const) {
  test({
    name: `ping proves how far a server's clock is off: ${offset} s`,
    needs: ["faketime"],
    fn: async () => {
      await using server = await ServerProcess.start([], faketime(offset));
      const { end } = await pingJson([`:${server.port}`, "-4", "-c", "20", "-i", "0.01"]);
      const [found] = end.servers;
      assert(contains(found!.offset!, offset), JSON.stringify(found));
      assert(found!.offset!.bound <= end.rtt!.min, "one round trip alone proves as much");
      assertEquals(found!.ahead, whose);
      const text = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "3", "-i", "0.01", "-q"]);
      const [, ms, bound] = /^clock offset ([+-][\d.]+) ms ± ([\d.]+) ms, (?:server|client) ahead$/m.exec(
        text.stdout,
      )!;
      assert(contains({ value: Number(ms), bound: Number(bound) }, offset * 1000), text.stdout);
    },
  });
}

test({
  name: "ping tells what stamps of a second and no stamps leave open",
  needs: ["faketime"],
  fn: async () => {
    await using seconds = await ServerProcess.start(["--stamp", "ctime"], faketime(90));
    const coarse = await pingJson([`127.0.0.1:${seconds.port}`, "-c", "5", "-i", "0.01"]);
    const [server] = coarse.end.servers;
    assert(contains(server!.offset!, 90), JSON.stringify(server));
    assertEquals([server!.up, server!.down, server!.carries], [null, null, null]);
    assertStringIncludes(server!.note!, "direction of the delay cannot be told");
    await using none = await ServerProcess.start(["--stamp", "none"], faketime(90));
    const { stdout } = await tsecho(["ping", `127.0.0.1:${none.port}`, "-c", "2", "-i", "0.01"]);
    assertStringIncludes(
      stdout,
      "the replies have no stamp: neither clock offset nor direction can be told\n",
    );
    assertNotMatch(stdout, /clock offset [+-]|upstream delay/);
  },
});

test({
  name: "ping finds the delays of each direction that a relay adds, and the offset in spite of them",
  needs: ["faketime"],
  fn: async () => {
    await using server = await ServerProcess.start([], faketime(90));
    await using relay = new DelayingRelay(server.port, {
      up: () => 2 + Math.random() * 6,
      down: () => 5 + Math.random() * 60,
    });
    const lines = 40;
    // One line at a time, so that the relay keeps no line back because of another.
    const { end, replies } = await pingJson([`127.0.0.1:${relay.port}`, "-c", String(lines), "-i", "0"]);
    const [found] = end.servers;
    assert(contains(found!.offset!, 90), JSON.stringify(found));
    // What the relay did not do itself is what a figure may be off by.
    const unexplained = Math.max(...replies.map(({ seq, rtt }) => {
      const { up, down } = relay.kept.get(seq)!;
      return rtt - up - down;
    }));
    for (const direction of ["up", "down"] as const) {
      const kept = [...relay.kept.values()].map((it) => it[direction]).sort((a, b) => a - b);
      const above = (rank: number) => kept[rank]! - kept[0]!;
      for (
        const [truth, told] of [
          [above(lines / 2 - 1), found![direction]!.p50!],
          [above(lines * 0.9 - 1), found![direction]!.p90!],
          [above(lines - 1), found![direction]!.max],
        ]
      ) {
        assert(
          Math.abs(told! - truth!) <= unexplained + 0.001 * truth! + 1e-5,
          `${direction}: ${truth} ${told} ${unexplained}`,
        );
      }
    }
    if (unexplained < 0.005) assertEquals(found!.carries, "down");
  },
});

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
  const lost = new Set([3, 11]);
  const twice = new Set([5, 6]);
  await using relay = new DatagramRelay((seq, reply, send) => {
    if (lost.has(seq)) return;
    if (seq === 8) held.set(8, reply); // comes after 9: reordered
    else if (seq === 13) held.set(13, reply); // comes long after it was given up: late
    else if (seq === 15) send(reply.replace(/.$/, "!")); // changed, and so lost as well
    else if (seq === 16) {
      send(reply);
      send("[1795405020.123456] of somebody else");
    } else {
      send(reply);
      if (twice.has(seq)) send(reply);
    }
    if (seq === 9) send(held.get(8)!);
    if (seq === 25) send(held.get(13)!);
  });
  const args = [`udp://127.0.0.1:${relay.port}`, "-c", "30", "-i", "0.05", "-W", "0.3"];
  const { end, replies } = await pingJson(args);
  assertEquals(countsOf(end), {
    sent: 30,
    received: 26,
    lost: 3,
    late: 1,
    duplicates: 2,
    reordered: 1,
    corrupt: 2,
  });
  const having = (fate: string) => replies.filter((it) => it.fate === fate).map(({ seq }) => seq);
  assertEquals(having("lost").filter((seq) => seq !== 13), [3, 11, 15]);
  assertEquals([having("duplicate"), having("reordered"), having("late")], [[5, 6], [8], [13]]);
  const { stdout } = await tsecho(["ping", ...args, "-q"]);
  assertMatch(
    stdout,
    /^30 lines transmitted, 26 received, \+2 duplicates, 1 late, 1 reordered, 2 corrupt, 10% loss, time \d+ ms$/m,
  );
});

/** A TCP server of a few lines for one connection at a time. */
async function withPeer(
  serve: (conn: Deno.TcpConn) => Promise<void>,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const conn = await listener.accept();
    await serve(conn).finally(() => conn.close());
  })();
  await use(listener.addr.port);
  listener.close();
  await within(serving, "the peer to end");
}

async function untilEnd(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65536);
  while (await conn.read(buffer).catch(() => null) !== null);
}

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
    assertStringIncludes(stdout, "no reply to seq=1 in 100ms\n");
    assertStringIncludes(stdout, "2 lines transmitted, 0 received, 100% loss");
  });
  await withPeer(untilEnd, async (port) => {
    const { end } = await pingJson([`127.0.0.1:${port}`, "-w", "0.3"], 1);
    assertEquals(countsOf(end), { ...NONE, sent: 1, received: 0, lost: 1 });
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
    const { code, stdout, stderr } = await tsecho(["ping", `127.0.0.1:${port}`, "-c", "5", "-i", "0.01"]);
    assertEquals(code, 0); // there were replies, as for ping(8)
    assertStringIncludes(stdout, "3 lines transmitted, 2 received, 33.3333% loss");
    assertEquals(
      stderr,
      `tsecho: Cannot ping "tcp://127.0.0.1:${port}" any further: the server closed the connection\n`,
    );
  });
});

test("ping --json says why a run ended early, a replay says it again, and thresholds go first", async () => {
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const reason = "the server closed the connection";
  for (const [args, code] of [[[], 0], [["--fail-if", "sent<3"], 3]] as const) {
    await withPeer(async (conn) => {
      const buffer = new Uint8Array(1000);
      await conn.write(buffer.subarray(0, (await conn.read(buffer))!));
    }, async (port) => {
      const address = `127.0.0.1:${port}`;
      const live = await tsecho(["ping", address, "-w", "20", "-i", "0.01", "--json", file, ...args]);
      assertEquals(live.code, code, live.stderr);
      assertEquals((JSON.parse(await Deno.readTextFile(file)) as Saved).end.ended, reason);
      const again = await tsecho(["ping", "--from", file, ...args]);
      assertEquals([again.code, again.stderr.replace(/it is .*/, "")], [
        code,
        live.stderr.replace(/it is .*/, ""),
      ]);
    });
  }
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
    const { end } = await pingJson([`127.0.0.1:${port}`, "-c", "3", "-i", "0.01"]);
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
  const { end, stderr } = await pingJson([`udp://127.0.0.1:${port}`, "-c", "2", "-i", "0.01"]);
  await within(serving, "the peer to end");
  socket.close();
  assertEquals(stderr, "");
  assertEquals(countsOf(end).received, 2);
  assert(end.corrupt > 0, JSON.stringify(end));
});

test("ping goes on, or ends in order, when a TLS record is broken", await needsTlsServer(), async () => {
  await using folder = await Folder.make();
  await makeCertificates(folder);
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
  assertEquals(own.replies.map(({ reason }) => reason), [one.end.ended!, one.end.ended!]);
  listener.close();
  await within(relaying, "the relay to end");
});

test("ping passes on why a server ends the conversation", async () => {
  await using server = await ServerProcess.start(["--max-conns", "1"]);
  using held = await server.connect();
  await held.write(new TextEncoder().encode("held\n"));
  await within(held.read(new Uint8Array(100)), "a reply");
  const { code, stderr } = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "1"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "any further: the server says: too many connections (1)\n");
  const own = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01", "--reconnect"]);
  assertEquals(own.code, 1);
  assertStringIncludes(own.stdout, "no reply to seq=2: the server says: too many connections (1)\n");
});

test("ping --reconnect goes on when connections are refused, and a first refusal without it is a failure", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const own = await tsecho(["ping", `127.0.0.1:${port}`, "-c", "2", "-i", "0.01", "--reconnect"]);
  assertEquals(own.code, 1);
  assertStringIncludes(own.stdout, "no reply to seq=2: connection refused");
  assertStringIncludes(own.stdout, "2 lines transmitted, 0 received, 100% loss");
  const { code, stderr } = await tsecho(["ping", `127.0.0.1:${port}`, "-c", "2"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^tsecho: Cannot connect to "tcp:\/\/127\.0\.0\.1:\d+": connection refused[^\n]*\n$/);
});

test({
  name: "ping keeps the servers behind a balancer apart by their tags",
  needs: ["faketime"],
  fn: async () => {
    await using one = await ServerProcess.start(["--tag", "web-1"]);
    await using two = await ServerProcess.start(["--tag", "web-2"], faketime(90));
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const balancing = (async () => {
      for (let i = 0; i < 10; i++) {
        const client = await listener.accept();
        const server = await (i % 2 === 0 ? one : two).connect();
        await Promise.all([client.readable.pipeTo(server.writable), server.readable.pipeTo(client.writable)])
          .catch(() => {});
      }
    })();
    const { end } = await pingJson([`127.0.0.1:${listener.addr.port}`, "-c", "10", "-i", "0", "--reconnect"]);
    listener.close();
    await within(balancing, "the balancer to end");
    assertEquals(end.servers.map(({ tag, received }) => [tag, received]), [["web-1", 5], ["web-2", 5]]);
    assert(
      contains(end.servers[0]!.offset!, 0) && contains(end.servers[1]!.offset!, 90),
      JSON.stringify(end.servers),
    );
  },
});

test("ping --from tells the same of a saved run, whether saved at once or as it went on", async () => {
  await using server = await ServerProcess.start(["--tag", "web-1"]);
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const args = ["ping", `127.0.0.1:${server.port}`, "-c", "120", "-i", "0"];
  const live = await tsecho([...args, "--json", file]);
  assertEquals(live.code, 0, live.stderr);
  const summary = (text: string) => text.slice(text.indexOf("--- "));
  const again = await tsecho(["ping", "--from", file]);
  assertEquals([again.code, summary(again.stdout)], [0, summary(live.stdout)]);
  const stream = await tsecho([...args, "--json-stream"]);
  const objects = stream.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(objects.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]), [
    "start",
    "reply",
    "interval",
    "end",
  ]);
  const synced = await tsecho(["ping", "--from", file, "--json", "-", "--clocks-synced"]);
  const { start, end: whole } = JSON.parse(synced.stdout);
  assertEquals([start.clocks_synced, whole.servers[0].one_way.up.count], [true, 120]);
  const table = await tsecho(["ping", "--from", file, "--csv", "-"]);
  assertEquals(table.stdout.trimEnd().split("\n").length, 121);
  await Deno.writeTextFile(file, stream.stdout);
  const replayed = await tsecho(["ping", "--from", file, "--json", "-", "--fail-if", "loss>1%"]);
  assertEquals(replayed.code, 0, replayed.stderr);
  const document = JSON.parse(replayed.stdout);
  assertEquals(document.replies, objects.filter(({ type }) => type === "reply"));
  const { thresholds: _, ...end } = document.end;
  const { thresholds: __, ...told } = objects.at(-1);
  assertEquals(end, told);
});

test("ping says that -w was too short to connect, and what connects took even if no reply came", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // the kernel connects, and nobody answers
  const address = `127.0.0.1:${listener.addr.port}`;
  const { code, stderr } = await tsecho(["ping", `tls://${address}`, "-w", "0.3"]);
  assertEquals([code, stderr], [
    1,
    `tsecho: Cannot connect to "tls://${address}": no connection within -w 300ms\n`,
  ]);
  const { end } = await pingJson(
    [address, "-c", "2", "-i", "0.01", "-W", "0.1", "--reconnect", "--fail-if", "p99>5ms"],
    1,
  );
  assertEquals([end.received, end.lost, end.connect?.count], [0, 2, 2]);
  assertEquals(end.thresholds.map(({ value, broken }) => [value, broken]), [[null, false]]);
  listener.close();
});

test("ping counts a line in the interval in which it was sent", async () => {
  await withPeer(untilEnd, async (port) => {
    const { stdout } = await tsecho(["ping", `127.0.0.1:${port}`, "-i", "0.1", "-w", "1.5", "--json-stream"]);
    const objects = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const intervals = objects.filter(({ type }) => type === "interval");
    assert(intervals[0].sent > 0, stdout);
    assertEquals([intervals[0].received, intervals[0].lost], [0, 0]);
    assertEquals(intervals.reduce((sum, { sent }) => sum + sent, 0), objects.at(-1).sent);
  });
});

test("ping writes over no file that it reads, nor two outputs into one", async () => {
  await using server = await ServerProcess.start();
  await using folder = await Folder.make();
  const [file, link] = [folder.file("run.json"), folder.file("link.json")];
  const args = ["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01"];
  assertEquals((await tsecho([...args, "--json", file])).code, 0);
  await Deno.symlink(file, link);
  const saved = await Deno.readTextFile(file);
  const onto = await tsecho(["ping", "--from", file, "--json", link]);
  assertEquals([onto.code, onto.stderr], [
    2,
    `tsecho: Cannot use --json "${link}": it is the file that --from names\n`,
  ]);
  assertEquals(await Deno.readTextFile(file), saved);
  const twice = await tsecho([...args, "--json", file, "--csv", link]);
  assertEquals([twice.code, twice.stderr], [
    2,
    `tsecho: Cannot use --csv "${link}": it is the file that --json names\n`,
  ]);
});

test({
  name: "ping says in its own words that a file cannot be used",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    for (const args of [["--from", "/proc/1/environ"], ["127.0.0.1:1", "--json", "/proc/1/oom_score_adj"]]) {
      const { code, stderr } = await tsecho(["ping", ...args]);
      assertEquals(code, 1);
      assertMatch(stderr, /^tsecho: Cannot (?:read the run|write) "[^"]*": [^\n]*\n$/);
      assertNotMatch(stderr, /--allow|all access/);
    }
  },
});

test("ping ends with its summary at SIGHUP, and --from reads what is left of a run that was killed", async () => {
  await using server = await ServerProcess.start();
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  for (const signal of ["SIGHUP", "SIGKILL"] as const) {
    await using ping = new Running([
      ...TSECHO,
      "ping",
      `127.0.0.1:${server.port}`,
      "-i",
      "0.02",
      "--json",
      file,
    ]);
    await ping.stdout.until(/seq=5 /);
    ping.kill(signal);
    const code = await ping.code();
    const hangup = signal === "SIGHUP";
    if (hangup) assertEquals(code, 0);
    assertEquals(/ping statistics/.test(ping.stdout.text), hangup);
    const again = await tsecho(["ping", "--from", file]);
    assertMatch(again.stdout, /^\d+ lines transmitted, \d+ received, 0% loss/m);
    const note = `tsecho: The run in "${file}" has no end: this is what was saved of it\n`;
    assertEquals([again.code, again.stderr], [0, hangup ? "" : note]);
  }
});

test("ping --from says what is wrong with a file", async () => {
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  for (
    const [text, reason] of [
      ["{", "line 1 is not a JSON object"],
      ["{}", "it has no start"],
      ['{"start":{"type":"start","version":2,"endpoint":"x"},"replies":[]}', "its version is 2"],
      ['{"start":{"type":"start","version":1},"replies":[]}', `the start's "endpoint" is no string`],
    ]
  ) {
    await Deno.writeTextFile(file, text!);
    const { code, stderr } = await tsecho(["ping", "--from", file]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `tsecho: Cannot read the run "${file}": ${reason}`);
  }
  const missing = await tsecho(["ping", "--from", folder.file("none")]);
  assertMatch(missing.stderr, /^tsecho: Cannot read the run ".*none": [^\n]*no such file[^\n]*\n$/i);
});

test("ping --csv writes a row for each reply", async () => {
  await using server = await ServerProcess.start(["--tag", "web-1"]);
  const { stdout } = await tsecho([
    "ping",
    `127.0.0.1:${server.port}`,
    "-c",
    "2",
    "-i",
    "0.01",
    "--csv",
    "-",
  ]);
  const [header, ...rows] = stdout.trimEnd().split("\n");
  assertEquals(header, "seq,fate,at,rtt,sent,stamp,received,format,tag,connect,handshake,reason");
  assertEquals(rows.length, 2);
  assertMatch(
    rows[1]!,
    /^2,received,0\.\d+,0\.\d+,\d{10}\.\d{1,6},\d{10}\.\d{1,6},\d{10}\.\d{1,6},iso,web-1,,,$/,
  );
});

test("ping --fail-if exits with 3 and one line for what broke", async () => {
  await using server = await ServerProcess.start();
  const ping = (...args: string[]): Promise<Outcome> =>
    tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "3", "-i", "0.01", "-q", ...args]);
  const broken = await ping("--fail-if", "p99>1ns", "--fail-if", "loss>1%");
  assertEquals(broken.code, 3);
  assertMatch(broken.stderr, /^tsecho: Threshold broken: p99>1ns: it is \d+\.\d{3} ms\n$/);
  const kept = await ping(
    "--fail-if",
    "p99>1m",
    "--fail-if",
    "abs(offset)>1s",
    "--fail-if",
    "down.p99>1m",
    "--fail-if",
    "received<3",
  );
  assertEquals([kept.code, kept.stderr], [0, ""]);
  await using mute = await ServerProcess.start(["--stamp", "none"]);
  const untold = await tsecho(["ping", `127.0.0.1:${mute.port}`, "-c", "1", "--fail-if", "abs(offset)>1s"]);
  assertEquals([untold.code, untold.stderr], [
    3,
    "tsecho: Threshold broken: abs(offset)>1s: that cannot be told\n",
  ]);
});

test("ping --clocks-synced reports one-way delays with what they may be off by", async () => {
  await using server = await ServerProcess.start();
  const { end } = await pingJson([`127.0.0.1:${server.port}`, "-c", "5", "-i", "0.01", "--clocks-synced"]);
  const { up, down, bound } = end.servers[0]!.one_way!;
  assertEquals([up.count, down.count], [5, 5]);
  assert(up.min + down.min <= end.rtt!.max + 2 * bound, JSON.stringify(end.servers));
  const { stdout } = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01"]);
  assertNotMatch(stdout, /one-way/);
});

test("ping -D puts the local time in front, and -q leaves replies out", async () => {
  await using server = await ServerProcess.start();
  const ping = (...args: string[]) =>
    tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0.01", ...args]);
  assertMatch((await ping("-D")).stdout, /^\[\d{10}\.\d{6}\] 56 bytes from \S+ seq=2 /m);
  const { stdout } = await ping("-q");
  assertNotMatch(stdout, /bytes from/);
  assertStringIncludes(stdout, "2 lines transmitted, 2 received");
  // deno-lint-ignore no-control-regex
  assertNotMatch((await ping()).stdout, /\x1b|\r/);
});

/** Starts ping on a terminal that may be written to, colours and all. */
function pingOnTerminal(server: ServerProcess, ...args: string[]): Terminal {
  const script = 'echo "pid $$"; exec "$@"';
  const command = [...TSECHO, "ping", `127.0.0.1:${server.port}`, ...args];
  return new Terminal(["env", "-u", "NO_COLOR", "sh", "-c", script, "sh", ...command]);
}

test("on a terminal ping ends at Ctrl-C with its summary, shows a live line, and an interim line at Ctrl-\\", async () => {
  await using server = await ServerProcess.start();
  await using terminal = pingOnTerminal(server, "-i", "0.05");
  await terminal.shows(/seq=6 time=/);
  // deno-lint-ignore no-control-regex
  await terminal.shows(/\r\x1b\[K[ ▁▂▃▄▅▆▇█]+ {2}\d+\.\d{3} ms {2}0% loss {2}offset [+-]/);
  await terminal.write("\x1c");
  await terminal.shows(
    /\d+\/\d+ lines, 0% loss, min\/avg\/max\/mdev = [\d./]+ ms, p50 [\d.]+ ms, clock offset [+-][\d.]+ ms ± /,
  );
  await terminal.shows(/seq=\d+ time=/);
  await terminal.write("\x03");
  await terminal.shows(
    /--- tcp:\/\/127\.0\.0\.1:\d+ ping statistics ---\r\n\d+ lines transmitted, \d+ received, .*0% loss/,
  );
  await terminal.shows(/[█▏▎▍▌▋▊▉]\r\n/);
  assertEquals(await terminal.code(), 0);
});

test("on a terminal ping shows how far it is, and nothing that moves with --no-tty", async () => {
  await using server = await ServerProcess.start();
  await using counting = pingOnTerminal(server, "-c", "20", "-i", "0.05", "-q");
  await counting.shows(/ \d+\/20 /);
  await counting.shows("20 lines transmitted");
  assertEquals(await counting.code(), 0);
  await using plain = pingOnTerminal(server, "-c", "3", "-i", "0.2", "--no-tty");
  await plain.shows("3 lines transmitted");
  assertEquals(await plain.code(), 0);
  const own = plain.stdout.text.slice(plain.stdout.text.indexOf("PING")); // `deno run` clears lines as it starts
  assert(!own.includes("\x1b"), JSON.stringify(own));
});

test("ping in a pipe ends at SIGINT with its summary, and tells an interim line on stderr", async () => {
  await using server = await ServerProcess.start();
  await using ping = new Running([...TSECHO, "ping", `127.0.0.1:${server.port}`, "-i", "0.02"]);
  await ping.stdout.until(/seq=3 /);
  ping.kill("SIGQUIT");
  await ping.stderr.until(/^\d+\/\d+ lines, 0% loss, min\/avg\/max\/mdev = /m);
  ping.kill("SIGINT");
  await ping.stdout.until(/ping statistics ---\n\d+ lines transmitted/);
  assertEquals(await ping.code(), 0);
});

test("ping ends quietly when its reader has seen enough", async () => {
  await using server = await ServerProcess.start();
  const script = '"$@" | head -n 2';
  const command = [...TSECHO, "ping", `127.0.0.1:${server.port}`, "-i", "0.01"];
  const { stdout, stderr } = await run(["sh", "-c", script, "sh", ...command]);
  assertEquals([stdout.split("\n").length, stderr], [3, ""]);
});

test("ping's memory does not grow with the run", async () => {
  await using server = await ServerProcess.start(["--tag", "web-1", "--quiet"]);
  const args = ["ping", `127.0.0.1:${server.port}`, "-i", "0", "-c", "100000", "-q", "--json-stream"];
  await using ping = new Running([...TSECHO, ...args]);
  let [early, latest, seen] = [0, 0, 0];
  for (let from = 0; !/"type":"end"/.test(ping.stdout.text);) {
    const match = await ping.stdout.until(/"type":"(?:interval".*?"sent":(\d+)|end")/, from);
    from += match.index + match[0].length;
    seen += Number(match[1] ?? 0);
    if (seen < 10_000 || match[1] === undefined) continue;
    latest = await residentKiB(ping.pid).catch(() => latest);
    early ||= latest;
  }
  assertEquals(await ping.code(), 0);
  assertStringIncludes(ping.stdout.text, '"received":100000,');
  assert(latest - early < 20 * 1024, `${early} KiB at 10,000 exchanges, ${latest} KiB at the end`);
});
