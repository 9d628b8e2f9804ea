/** What ping counts, beside peers that counted it too: outages, stalls, back-pressure, late replies, and no servers. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { eventually, Folder, Running, ServerProcess, Terminal, TSECHO, tsecho, within } from "./helpers.ts";
import { pingJson, type Saved, withPeer } from "./ping_helpers.ts";

/** A listener that takes some connections, and from then on none: the kernel drops what would connect. */
class DeafListener implements AsyncDisposable {
  answered = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  readonly #filling: Deno.Conn[] = [];
  readonly #serving: Promise<void>;

  /** @param conns how many connections it takes, each for the echo of one line. */
  constructor(conns: number) {
    this.#serving = this.#serve(conns);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Resolves when it takes no more connections. */
  get deaf(): Promise<void> {
    return this.#serving;
  }

  async #serve(conns: number): Promise<void> {
    for (; this.answered < conns; this.answered++) {
      using conn = await this.#listener.accept();
      const buffer = new Uint8Array(1000);
      const n = await conn.read(buffer);
      if (n !== null) await conn.write(buffer.subarray(0, n));
      await conn.read(buffer).catch(() => {});
    }
    // The kernel completes connections until its queue is full; one that is late may only have met a busy machine.
    for (let late = 0; late < 3;) {
      const signal = AbortSignal.timeout(300);
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: this.port, signal }).catch(() => null);
      if (conn === null) late++;
      else this.#filling.push(conn);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(this.#serving, "the listener to be deaf");
    this.#filling.forEach((it) => it.close());
    this.#listener.close();
  }
}

test("with --reconnect lines whose connection is not made are sent, and lost or pending with their reason", async () => {
  await using listener = new DeafListener(0);
  await listener.deaf;
  const args = [`127.0.0.1:${listener.port}`, "--reconnect", "-i", "0.1", "-W", "3", "--json-stream"];
  await using ping = new Running([...TSECHO, "ping", ...args]);
  await ping.stdout.until(/"fate":"lost"/);
  ping.kill("SIGINT");
  assertEquals(await ping.code(), 1);
  const objects = ping.stdout.text.trimEnd().split("\n").map((it) => JSON.parse(it));
  const end = objects.at(-1) as Saved["end"];
  const replies = objects.filter(({ type }) => type === "reply") as Saved["replies"];
  const { sent, received, lost, pending, loss } = end;
  assertEquals([received, lost + pending, loss], [0, sent, 1]);
  assert(lost > 0 && pending > 0, JSON.stringify(end));
  assertEquals(
    new Set(replies.filter(({ fate }) => fate === "lost").map(({ reason }) => reason)),
    new Set(["no connection in 3 s"]),
  );
});

test(
  "an outage in a run with --reconnect counts every line that was due in it",
  { level: "slow" },
  async () => {
    await using listener = new DeafListener(4);
    const args = [`127.0.0.1:${listener.port}`, "--reconnect", "-i", "0.1", "-c", "24", "-W", "1"];
    const { end, replies } = await pingJson(args);
    assertEquals([end.sent, end.received + end.lost, listener.answered], [24, 24, 4]);
    // Those that the kernel took for the queue were connected, and not answered either.
    assert(end.received <= 4 && end.lost >= 20, JSON.stringify(end));
    for (const { fate, connect = 0, handshake = 0, rtt } of replies) {
      if (fate === "received") assert(connect + handshake + rtt <= 1, JSON.stringify(replies));
    }
  },
);

/** A UDP peer that sends each datagram back after a while. */
async function withDelay(millis: number, use: (port: number) => Promise<void>): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const timers: ReturnType<typeof setTimeout>[] = [];
  const serving = (async () => {
    for await (const [bytes, from] of socket) {
      timers.push(setTimeout(() => void socket.send(bytes, from).catch(() => {}), millis));
    }
  })();
  await use((socket.addr as Deno.NetAddr).port);
  timers.forEach(clearTimeout);
  socket.close();
  await within(serving, "the peer to end");
}

test("replies that take longer than -W are lost and late, none of them received, and a loss threshold is sure", async () => {
  await withDelay(220, async (port) => {
    const args = [`udp://127.0.0.1:${port}`, "-c", "12", "-i", "0.05", "-W", "0.2"];
    const { end } = await pingJson(args, 1);
    assertEquals([end.sent, end.received, end.lost, end.loss, end.rtt], [12, 0, 12, 1, null]);
    assert(end.late > 0, JSON.stringify(end));
    const { code, stdout, stderr } = await tsecho([
      "ping",
      ...args,
      "--fail-if",
      "loss<100%",
      "--fail-if",
      "loss>0",
    ]);
    assertEquals([code, stderr], [3, "tsecho: Threshold broken: loss>0: it is 100%\n"]);
    assertMatch(stdout, /^12 lines transmitted, 0 received, 12 lost \(\d+ of these late\), 100% loss/m);
    assertMatch(stdout, / seq=\d+ time=\d{3,}\.\d{3} ms \(late\)$/m);
  });
});

test("ping that was stopped for half a second says which lines it did not send, and --from says it again", {
  level: "slow",
}, async () => {
  await using server = await ServerProcess.start(["--quiet"]);
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  await using ping = new Running([
    ...TSECHO,
    ...[
      "ping",
      `127.0.0.1:${server.port}`,
      "-i",
      "0.01",
      "-c",
      "300",
      "--json",
      file,
      "--fail-if",
      "missed>40",
    ],
  ]);
  await ping.stdout.until(/seq=20 /);
  ping.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 500));
  ping.kill("SIGCONT");
  assertEquals(await ping.code(), 3);
  const { end, replies } = JSON.parse(await Deno.readTextFile(file)) as Saved;
  // 500 ms are 50 lines, of which those of the last 20 ms are still sent.
  assert(end.missed >= 46 && end.sent === 300, JSON.stringify(end));
  const sent = replies.filter(({ fate }) => fate === "received").map(({ at, rtt }) => at - rtt);
  const interval = (Math.max(...sent) - Math.min(...sent)) / 299;
  assert(Math.abs(end.interval! - interval) < 1e-8, `${end.interval} for ${interval}`);
  const told =
    /^\d+ lines were not sent in time: [^;\n]*ping was late[^;\n]*; one every \d+\.\d{3} ms instead of 10\.000 ms$/m;
  const [line] = told.exec(ping.stdout.text)!;
  assertStringIncludes(line!, `${end.missed} lines`);
  assertMatch(ping.stderr.text, /^tsecho: Threshold broken: missed>40: it is \d+$/m);
  const again = await tsecho(["ping", "--from", file]);
  assertStringIncludes(again.stdout, `${line}\n`);
});

const BIG_LINES = ["-s", "60000", "-i", "0.002", "-c", "400"];

test("lines that wait for a connection count from the moment planned, and are sent once it takes them", {
  level: "slow",
}, async () => {
  let arrived = 0;
  await withPeer(async (conn) => {
    await new Promise((resolve) => setTimeout(resolve, 1500)); // 24 MB are due in 800 ms: more than the kernel takes
    const buffer = new Uint8Array(65536);
    for (let n; (n = await conn.read(buffer)) !== null;) {
      const bytes = buffer.slice(0, n);
      arrived += bytes.filter((it) => it === 10).length;
      for (let from = 0; from < n;) from += await conn.write(bytes.subarray(from));
    }
  }, async (port) => {
    const { end } = await pingJson([`127.0.0.1:${port}`, ...BIG_LINES, "-W", "20"]);
    assertEquals([end.sent, end.received, end.lost], [400, 400, 0]);
    assert(end.blocked!.max > 0.5 && end.response!.max > 0.5, JSON.stringify(end));
    assert(end.response!.p90! >= end.rtt!.p90!, JSON.stringify(end));
  });
  assertEquals(arrived, 400);
});

test("lines that a connection does not take within the time-out are not sent, and ping says why", {
  level: "slow",
}, async () => {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  await withPeer(() => over, async (port) => {
    const args = ["ping", `127.0.0.1:${port}`, ...BIG_LINES, "-W", "0.3", "-w", "4"];
    const { code, stdout } = await tsecho([...args, "--json-stream"]);
    const { sent, missed, missed_by, received, lost, pending } = JSON.parse(
      stdout.trimEnd().split("\n").at(-1)!,
    );
    assertEquals([code, received, lost + pending], [1, 0, sent]);
    assert(missed_by["the connection took no more"] > 0 && sent + missed >= 400, stdout.slice(-2000));
    resolve();
  });
});

test("no more than 256 connections are open at once, and lines that find them open are not sent", {
  level: "slow",
}, async () => {
  await using listener = new DeafListener(0);
  await listener.deaf;
  const args = [`127.0.0.1:${listener.port}`, "--reconnect", "-i", "0.002", "-w", "4", "-W", "10"];
  const { end } = await pingJson(args, 1);
  assertEquals([end.sent, end.pending], [256, 256]);
  assert(end.missed_by["256 connections are open"]! > 0, JSON.stringify(end));
});

test("corrupt replies in a row have one line and a count, and each is counted", async () => {
  await withPeer(async (conn) => {
    await conn.read(new Uint8Array(1000));
    await conn.write(new TextEncoder().encode("<p>\n".repeat(300)));
  }, async (port) => {
    const { stdout } = await tsecho(["ping", `127.0.0.1:${port}`, "-c", "1"]);
    assertMatch(
      stdout,
      /^PING .*\ncorrupt reply: .* It says "<p>"\n299 more corrupt replies\nno reply to seq=1: .*\n\n--- .*\n1 line transmitted, 0 received, 300 corrupt, 100% loss/,
    );
  });
});

test("the first reply of what is no tsecho server says what came, and only the first", async () => {
  await withPeer(async (conn) => {
    await conn.read(new Uint8Array(1000));
    await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad\x1b Request\r\nServer: x\r\n\r\n"));
  }, async (port) => {
    const { code, stdout } = await tsecho(["ping", `127.0.0.1:${port}`, "-c", "1"]);
    assertEquals(code, 1);
    assertStringIncludes(
      stdout,
      'corrupt reply: is it a tsecho server? It says "HTTP/1.1 400 Bad\\x1b Request"\n' +
        "2 more corrupt replies\n",
    );
  });
});

test("a server's error line is the reason of the lines that it costs", async () => {
  await using server = await ServerProcess.start(["--max-conns", "1"]);
  using held = await server.connect();
  await held.write(new TextEncoder().encode("held\n"));
  await within(held.read(new Uint8Array(100)), "a reply");
  const { code, stdout } = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "1"]);
  assertEquals(code, 1);
  assertStringIncludes(stdout, "no reply to seq=1: the server says: too many connections (1)\n");
  assertStringIncludes(stdout, "1 line transmitted, 0 received, 100% loss");
});

test("signals are heeded before a connection is made: SIGQUIT tells, SIGINT and SIGHUP end with a summary", {
  level: "slow",
}, async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    await using listener = new DeafListener(0);
    await listener.deaf;
    await using folder = await Folder.make();
    const file = folder.file("run.json");
    await using ping = new Running([...TSECHO, "ping", `127.0.0.1:${listener.port}`, "--json", file]);
    await eventually(() => Deno.stat(file).then(() => true, () => false), "ping to open its file");
    // The first ones may find nothing that could be told.
    await eventually(() => {
      ping.kill("SIGQUIT");
      return ping.stderr.text !== "";
    }, "an interim line");
    ping.kill(signal);
    assertEquals(await ping.code(), 1);
    assertStringIncludes(
      ping.stdout.text,
      "ping statistics ---\n0 lines transmitted, 0 received, loss unknown, time 0 ms\n",
    );
    assertMatch(
      ping.stderr.text,
      /^(?:0\/0 lines, loss unknown\n)+tsecho: Cannot connect to "\S+": interrupted; no file was written\n$/,
    );
    await assertRejects(() => Deno.stat(file), Deno.errors.NotFound); // there is nothing to save
  }
});

test("on a terminal that cannot move its cursor ping shows no live line", { level: "slow" }, async () => {
  await using server = await ServerProcess.start();
  const command = [...TSECHO, "ping", `127.0.0.1:${server.port}`, "-c", "3", "-i", "0.2"];
  await using terminal = new Terminal(["env", "-u", "NO_COLOR", "TERM=dumb", ...command]);
  await terminal.shows("3 lines transmitted");
  assertEquals(await terminal.code(), 0);
  const own = terminal.stdout.text.slice(terminal.stdout.text.indexOf("PING"));
  assert(!own.includes("\x1b"), JSON.stringify(own));
});
