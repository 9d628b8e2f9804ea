/** Who is let in: --allow, --deny and --max-conns-per-ip, over every transport, and behind a balancer. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import {
  ascii,
  copyCertificates,
  eventually,
  Folder,
  readAll,
  readLine,
  run,
  send,
  ServerPeer,
  tsecho,
  unstamped,
} from "./helpers.ts";
import { needsTlsServer } from "./tls_helpers.ts";

/** Whether a server answers a line, for each of these addresses of the loopback interface as where it comes from. */
async function answers(server: ServerPeer, ...from: string[]): Promise<boolean[]> {
  // Deno cannot choose the address that it connects from.
  const script = `import socket, sys
for host in sys.argv[2:]:
    peer = socket.create_connection((host, int(sys.argv[1])), 10, (host, 0))
    try:
        peer.sendall(b"hello\\n")
        print(repr(peer.recv(100).decode()))
    except ConnectionError:
        print("''")`;
  const { stdout, stderr } = await run(["python3", "-c", script, String(server.port), ...from]);
  assertEquals(stderr, "");
  return stdout.trimEnd().split("\n").map((reply) => {
    assert(reply === "''" || reply.endsWith("] hello\\n'"), reply);
    return reply !== "''";
  });
}

type Lists = [args: string[], served: Record<string, boolean>][];

async function assertServed(table: Lists): Promise<void> {
  for (const [args, expected] of table) {
    await using server = await ServerPeer.start(["tcp://:0", ...args]);
    const answered = await answers(server, ...Object.keys(expected));
    assertEquals(answered, Object.values(expected), args.join(" "));
    const refused = Object.values(expected).filter((open) => !open).length;
    await server.stop();
    assertStringIncludes(server.stderr.text, `refused=${refused} `);
    if (refused > 0) {
      assertStringIncludes(server.stderr.text, "warn refuse reason=denied count=1 total=1 last_peer=");
    }
  }
}

test("--allow and --deny decide who is served, and deny wins", () =>
  assertServed([
    [["--allow", "127.0.0.1,::1"], { "127.0.0.1": true, "127.0.0.2": false, "::1": true }],
    [["--allow", "127.0.0.0/8", "--deny", "127.0.0.2"], {
      "127.0.0.1": true,
      "127.0.0.2": false,
      "::1": false,
    }],
  ]));

test(
  "--allow and --deny take blocks, IPv4 within IPv6, and all addresses",
  { level: "slow" },
  () =>
    assertServed([
      [["--allow", "127.0.0.0/30"], {
        "127.0.0.1": true,
        "127.0.0.3": true,
        "127.0.0.4": false,
        "::1": false,
      }],
      [["--allow", "::1"], { "127.0.0.1": false, "::1": true }],
      [["--allow", "::ffff:127.0.0.1"], { "127.0.0.1": true, "127.0.0.2": false, "::1": false }],
      [["--deny", "127.0.0.2"], { "127.0.0.1": true, "127.0.0.2": false, "::1": true }],
      [["--deny", "::/0"], { "127.0.0.1": true, "::1": false }],
      [["--deny", "0.0.0.0/0"], { "127.0.0.1": false, "::1": true }],
      [["--allow", "127.0.0.1", "--deny", "127.0.0.0/8"], { "127.0.0.1": false }],
    ]),
);

test("the lists hold for datagrams, and not for Unix sockets", async () => {
  await using folder = await Folder.make();
  const unix = `unix:${folder.file("s.sock")}`;
  await using server = await ServerPeer.start(["udp://127.0.0.1:0", unix, "--deny", "127.0.0.1"]);
  const { code } = await tsecho(["client", server.url("udp"), "--timeout", "200ms", "-m", "hello"]);
  assertEquals(code, 1);
  await server.stderr.until(/warn drop reason=denied count=1 total=1 last_peer=127.0.0.1/);
  assertEquals((await tsecho(["client", unix, "-m", "hello"])).code, 0);
});

test("behind a balancer the lists and the limit are for the real client", async () => {
  await using server = await ServerPeer.start([
    ...["--proxy-protocol", "--proxy-from", "127.0.0.1", "--allow", "192.0.2.0/24", "--deny", "192.0.2.9"],
    ...["--max-conns-per-ip", "1"],
  ]);
  const ask = async (client: string) => {
    const conn = await server.connect();
    await conn.write(ascii(`PROXY TCP4 ${client} 198.51.100.1 5000 443\r\nhello\n`));
    return { conn, reply: await readLine(conn).catch(() => "") };
  };
  const held = await ask("192.0.2.7");
  assertEquals(unstamped(held.reply), "hello\n");
  for (
    const [client, reply] of [
      ["192.0.2.9", ""],
      ["203.0.113.1", ""],
      ["192.0.2.7", "error: too many connections from one address (1)\n"],
    ]
  ) {
    const { conn, reply: got } = await ask(client!);
    assertEquals(got, reply);
    conn.close();
  }
  const other = await ask("192.0.2.8");
  assertEquals(unstamped(other.reply), "hello\n");
  // Its place is free again once it has gone.
  held.conn.close();
  await server.stderr.until(/info close conn=1 /);
  const again = await ask("192.0.2.7");
  assertEquals(unstamped(again.reply), "hello\n");
  for (const { conn } of [other, again]) conn.close();
  await server.stderr.until(
    /warn refuse reason=denied count=\d total=\d last_peer=(192.0.2.9|203.0.113.1):5000\n/,
  );
});

const CONNECTS = volume(300, 1000);

test(`the limit for one address holds under ${CONNECTS} connects at once, and others are served`, {
  level: "large",
}, async () => {
  await using server = await ServerPeer.start(["tcp://:0", "--max-conns-per-ip", "20"]);
  const outcomes = await Promise.all(Array.from({ length: CONNECTS }, async () => {
    const conn = await server.connect();
    await send(conn, "hello\n").catch(() => {});
    return { conn, reply: await readLine(conn).catch(() => "") };
  }));
  const served = outcomes.filter(({ reply }) => reply.endsWith("] hello\n"));
  const told = outcomes.filter(({ reply }) =>
    reply === "error: too many connections from one address (20)\n"
  );
  const closed = outcomes.filter(({ reply }) => reply === "");
  console.log(`${served.length} served, ${told.length} told why not, ${closed.length} closed`);
  assertEquals([served.length, told.length + closed.length], [20, CONNECTS - 20]);
  assert(told.length > 0);
  assertEquals(await answers(server, "127.0.0.2"), [true]);
  for (const { conn } of outcomes) conn.close();
  await eventually(() => server.stderr.text.split(" info close ").length > 21, "the places to be free");
  assertEquals(await answers(server, "127.0.0.1"), [true]);
  await server.stop();
  assertStringIncludes(server.stderr.text, `refused=${CONNECTS - 20} `);
  assertLess(server.stderr.text.match(/warn refuse/g)!.length, 10);
});

test(
  "over TLS one address too many is closed before the handshake",
  await needsTlsServer(),
  async () => {
    await using folder = await Folder.make();
    await copyCertificates(folder);
    await using server = await ServerPeer.start([
      ...["tls://127.0.0.1:0", "--cert", folder.file("server.pem"), "--key", folder.file("server.key")],
      ...["--max-conns-per-ip", "1"],
    ]);
    using held = await server.connect(); // has not even begun its handshake
    using conn = await server.connect();
    assertEquals(await readAll(conn), "");
    await server.stderr.until(/warn refuse reason="too many connections from one address/);
    void held;
  },
);
