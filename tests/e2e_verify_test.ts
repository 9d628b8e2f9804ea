/** The client holds replies against what it sent: servers that are no echo, in all of its ways of talking. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import { run, Running, ServerPeer, Terminal, TSECHO, tsecho } from "./helpers.ts";
import { fakeServer } from "./peers.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A server that answers each of its reads. */
function answering(answer: (text: string) => string) {
  return fakeServer(async (conn) => {
    const buffer = new Uint8Array(1 << 20);
    for (let n; (n = await conn.read(buffer)) !== null;) {
      const reply = encode(answer(new TextDecoder("latin1").decode(buffer.subarray(0, n))));
      for (let at = 0; at < reply.length;) at += await conn.write(reply.subarray(at));
    }
  });
}

const HTTP = "HTTP/1.0 400 Bad Request\r\nServer: x\r\n\r\n<!DOCTYPE HTML>\n";

test(
  "a web server is told from an echo: with --message, in a pipe and in chunk framing",
  { level: "slow" },
  async () => {
    await using server = answering(() => HTTP);
    const start = (what: string) =>
      `tsecho: Cannot talk to "${server.url}": this does not look like an echo server: ${what} was answered by ` +
      '"HTTP/1.0 400 Bad Request"; --no-verify accepts any reply\n';
    const args = ["client", server.url];
    for (
      const [argv, input, what] of [
        [["-m", "hello"], "", '"hello"'],
        [[], "hello\nworld\n", "line 1"],
        [["--framing", "chunk"], "hello\n", '"hello"'],
        [["--framing", "chunk", "-m", "hello"], "", '"hello"'],
      ] as const
    ) {
      const outcome = await tsecho([...args, ...argv], input);
      assertEquals(outcome, { code: 1, stdout: "", stderr: start(what) });
    }
    const any = await tsecho([...args, "--no-verify", "-m", "hello"]);
    assertEquals(any, { code: 0, stdout: "HTTP/1.0 400 Bad Request\r\n", stderr: "" });
  },
);

test("the prompt ends at what is no echo, too", async () => {
  await using server = answering(() => HTTP);
  await using terminal = new Terminal([...TSECHO, "client", server.url]);
  await terminal.shows("> ");
  await terminal.write("hello\r");
  await terminal.shows(
    'this does not look like an echo server: "hello" was answered by "HTTP/1.0 400 Bad Request"',
  );
  assertEquals(await terminal.code(), 1);
});

test("one changed byte among many lines is found, and what was right before it is printed", async () => {
  const lines = Array.from({ length: 100_000 }, (_, i) => `line ${i}\n`);
  let seen = "";
  await using server = answering((text) => {
    const before = seen.length;
    seen += text;
    return seen.replace("line 77777\n", "line 77707\n").slice(before);
  });
  const { code, stdout, stderr } = await tsecho(["client", server.url], lines.join(""));
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'line 77778 was answered by "line 77707"');
  assertEquals(stdout, lines.slice(0, 77_777).join(""));
});

test("a server that changes lines is accepted with --no-verify", async () => {
  await using server = answering((text) => text.toUpperCase());
  const refused = await tsecho(["client", server.url], "HELLO\nworld\n");
  assertEquals([refused.code, refused.stdout], [1, "HELLO\n"]);
  assertStringIncludes(refused.stderr, 'line 2 was answered by "WORLD"');
  const accepted = await tsecho(["client", server.url, "--no-verify"], "hello\nworld\n");
  assertEquals(accepted, { code: 0, stdout: "HELLO\nWORLD\n", stderr: "" });
});

test("from plain echo a last line comes back without LF, and errors are lines like others", async () => {
  await using server = answering((text) => text);
  for (const input of ["one\ntwo", "error: 1\n\nerror: 2\nx\nerror: 3", "error: only\n", "[x] y\n[z"]) {
    const args = input === "one\ntwo" ? [[], ["--no-verify"]] : [[]];
    for (const more of args) {
      const outcome = await tsecho(["client", server.url, ...more], input);
      assertEquals(outcome, { code: 0, stdout: input, stderr: "" });
    }
  }
  const message = await tsecho(["client", server.url, "-m", "error: 1", "-m", "error: 2"]);
  assertEquals(message, { code: 0, stdout: "error: 1\nerror: 2\n", stderr: "" });
});

test("a server's error is told even where lines that look like one are echoed", async () => {
  await using server = await ServerPeer.start(["--stamp", "none", "--max-line", "20"]);
  const input = "error: a\nb\nerror: that is much too long\n";
  for (const args of [[], ["-m", "error: a", "-m", "error: that is much too long"]]) {
    const { code, stdout, stderr } = await tsecho(["client", `127.0.0.1:${server.port}`, ...args], input);
    assertEquals([code, stdout], [1, args.length === 0 ? "error: a\nb\n" : "error: a\n"]);
    assertStringIncludes(stderr, "the server says: line longer than 20 bytes");
  }
});

test("a reply that nothing was sent for is no echo", async () => {
  await using server = answering((text) => `${text}${text}`);
  const { code, stdout, stderr } = await tsecho(["client", server.url], "hello\n");
  assertEquals([code, stdout], [1, "hello\n"]);
  assertStringIncludes(stderr, 'line 2 was answered by "hello"');
});

test("in chunk framing replies may come in pieces, each with a stamp, but are the bytes sent", async () => {
  await using server = answering((text) =>
    text.length > 3 ? `[now] ${text.slice(0, 3)}[now] ${text.slice(3)}` : text
  );
  const input = "a line\nab\n[a] [b] x\nlast";
  const { code, stdout } = await tsecho(["client", server.url, "--framing", "chunk"], input);
  assertEquals([code, stdout.replaceAll("[now] ", "")], [0, input]);
  await using other = answering((text) => text.replace("b", "c"));
  const changed = await tsecho(["client", other.url, "--framing", "chunk"], "aa\nab\nac\n");
  assertEquals([changed.code, changed.stdout], [1, "aa\n"]);
  assertStringIncludes(changed.stderr, '"ab" was answered by "ac"');
});

test("a line that is longer than the buffer for what waits is verified whole", {
  ignore: Deno.build.os !== "linux",
  level: "slow",
}, async () => {
  await using server = await ServerPeer.start(["--max-line", "64m"]);
  const bytes = volume(20, 60) * 1_000_000;
  const client = [...TSECHO, "client", `127.0.0.1:${server.port}`];
  const script = 'head -c $0 /dev/zero | tr "\\0" x | "$@" | tail -c +31 | wc -c';
  const { code, stdout, stderr } = await run(["sh", "-c", script, `${bytes}`, ...client]);
  assertEquals([code, Number(stdout), stderr], [0, bytes + 1, ""]);
});

test("no line is lost at a server that answers only when all have come", async () => {
  await using server = fakeServer(async (conn) => {
    const parts: Uint8Array[] = [];
    const buffer = new Uint8Array(1 << 16);
    for (let n; (n = await conn.read(buffer)) !== null;) parts.push(buffer.slice(0, n));
    for (const part of parts) for (let at = 0; at < part.length;) at += await conn.write(part.subarray(at));
  });
  const input = Array.from({ length: 300_000 }, (_, i) => `line ${i}\n`).join("");
  await using client = new Running([...TSECHO, "client", server.url]);
  await client.write(input);
  await client.closeInput();
  assertEquals([await client.code(), client.stdout.text === input], [0, true]);
  assert(!client.stderr.text.includes("tsecho:"));
});
