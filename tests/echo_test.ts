/** What a client takes for an echo: lines and chunks of a conversation, and streams of replies. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { echoOfChunk, errorReply, isEcho, MAX_HELD, ReplyVerifier } from "../protocol.ts";
import { send, test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const STAMPS = ["", "[now] ", "[2026-11-23T03:37:00.123456Z] ", "[Mon Nov 23 03:37:00 2026 web-1] "];

test("a reply is a line's echo, alone or behind anything in brackets", () => {
  for (const line of ["hello\n", "\n", "[x] y\n", "[x] [x] y\n"]) {
    for (const stamp of STAMPS) assert(isEcho(encode(stamp + line), encode(line)), stamp + line);
    for (
      const reply of [
        `x${line}`,
        `[a]${line}`,
        `[a] b ${line}`,
        `[a]] ${line}`,
        `[a\n] ${line}`,
        "\nx",
        line + "\n",
      ]
    ) {
      assert(!isEcho(encode(reply), encode(line)), reply);
    }
  }
  assert(!isEcho(encode(`[${"x".repeat(100)}] hello\n`), encode("hello\n")));
});

test("a chunk has come back when its replies, less their stamps, are its bytes in order", () => {
  for (
    const [reply, message, outcome] of [
      ["hello", "hello", "whole"],
      ["[now] hello", "hello", "whole"],
      ["[now] he[now] llo", "hello", "whole"],
      ["[now] he[now] ", "hello", "part"],
      ["[no", "hello", "part"],
      ["", "hello", "part"],
      ["[now] helo", "hello", "no echo"],
      ["[now] olleh", "hello", "no echo"],
      ["[now] hello there", "hello", "no echo"],
      ["[now] hello[now] hello", "hello", "no echo"],
      // A message may itself hold what looks like a stamp.
      ["[a] x", "[a] x", "whole"],
      ["[a] ", "[a] x", "part"],
      ["[now] [a] [a] x", "[a] [a] x", "whole"],
      ["[a] [a] x", "[a] x", "whole"],
      ["[a] [a] [a] y", "[a] x", "no echo"],
      ["250 ok", "helo", "no echo"],
    ] as const
  ) {
    assertEquals(echoOfChunk(encode(reply), encode(message)), outcome, JSON.stringify(reply));
  }
});

test("a chunk that is all brackets is settled in time", { level: "heavy" }, () => {
  const message = encode("[] ".repeat(341));
  assertEquals(echoOfChunk(encode("[] ".repeat(2000) + "x"), message), "no echo");
});

/** Lines that look like stamps, errors and each other. */
const line = fc.oneof(
  fc.constantFrom("", "[", "[x] y", "[now] ", "error: no", "error: ", "err", "]", "a"),
  fc.string({ maxLength: 40 }).map((it) => it.replaceAll("\n", "")),
  fc.integer({ min: 100, max: 400 }).map((length) => "error: x".padEnd(length, "y")),
);
const lines = fc.array(line, { minLength: 1, maxLength: 30 });
const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 });

/** Verifies the replies in pieces; each piece of `sent` goes out before the reply to it comes. */
function verify(sent: string, replies: string, sizes: number[], lacksLf = false) {
  const verifier = new ReplyVerifier();
  send(verifier, encode(sent));
  if (lacksLf) verifier.endInput(true);
  const input = encode(replies);
  let passed = "";
  const decoder = new TextDecoder();
  for (let at = 0, i = 0; at < input.length; i++) {
    const size = sizes[i % sizes.length]!;
    passed += decoder.decode(verifier.arrived(input.subarray(at, at + size)), { stream: true });
    at += size;
  }
  passed += decoder.decode(verifier.ended());
  verifier.close();
  return { passed, answered: verifier.answered, error: verifier.error, fault: verifier.fault };
}

test("every echo is passed on, whatever the lines look like and however the replies are cut", () => {
  assertProperty(fc.property(lines, fc.constantFrom(...STAMPS), cuts, (lines, stamp, sizes) => {
    const replies = lines.map((line) => `${stamp}${line}\n`).join("");
    assertEquals(verify(lines.map((line) => `${line}\n`).join(""), replies, sizes), {
      passed: replies,
      answered: lines.length,
      error: undefined,
      fault: undefined,
    });
  }));
});

test("a changed byte is found, and no line from it on is passed on", () => {
  const changes = fc.record({ at: fc.nat(), byte: fc.constantFrom("x", "[", "]", "\n", " ", "e") });
  assertProperty(
    fc.property(lines, fc.constantFrom(...STAMPS), cuts, changes, (lines, stamp, sizes, change) => {
      const sent = lines.map((line) => `${line}\n`).join("");
      const index = change.at % lines.length;
      const before = lines.slice(0, index).map((line) => `${stamp}${line}\n`).join("");
      const line = `${lines[index]!}\n`;
      const at = change.at % line.length;
      const changed = line.slice(0, at) + change.byte + line.slice(at + 1);
      fc.pre(changed !== line && !changed.startsWith("[") && lines[0] !== "" && !lines[0]!.startsWith("["));
      const { passed, answered, error, fault } = verify(sent, `${before}${stamp}${changed}\nmore\n`, sizes);
      assert((error ?? fault) !== undefined, JSON.stringify({ passed, answered }));
      assert(`${before}${stamp}${changed}`.startsWith(passed), passed);
      assert(answered <= index + 1);
    }),
  );
});

test("the server's error is told from echoes, however it is cut", () => {
  const error = decode(errorReply("idle for 10s"));
  for (const stamp of STAMPS) {
    for (const lines of [[], ["a"], ["error: not one"], ["a", "error: idle for 9s"]]) {
      const before = lines.map((line) => `${stamp}${line}\n`).join("");
      const sent = lines.map((line) => `${line}\n`).join("") + "error: idle for 1 s\nmore\n";
      for (let size = 1; size < 40; size++) {
        const expected = { passed: before, answered: lines.length, error: "idle for 10s", fault: undefined };
        assertEquals(verify(sent, before + error, [before.length || 1000, size, 1000]), expected);
        assertEquals(verify(sent, before + error, [size]), expected);
        assertEquals(verify(sent, (before + error).slice(0, -1), [size]).error, "idle for 10s");
      }
    }
  }
});

test("a last line without LF comes back with one or without", () => {
  for (const stamp of STAMPS) {
    for (const last of ["three", "error: 3", "[3"]) {
      for (const end of ["\n", ""]) {
        const replies = `${stamp}one\n${stamp}${last}${end}`;
        for (const size of [1, 7, 100]) {
          const expected = { passed: replies, answered: 2, error: undefined, fault: undefined };
          assertEquals(verify(`one\n${last}`, replies, [size], true), expected);
        }
      }
    }
    assertEquals(verify("one\ntwo", `${stamp}one\n${stamp}tw`, [100], true).answered, 1);
  }
});

test("what is no reply is quoted", () => {
  assertEquals(verify("hello\n", "<!DOCTYPE HTML>\r\n<html>", [100]).fault, "<!DOCTYPE HTML>");
  assertEquals(verify("a\n", "[now] a\n[now] a\n", [100]).fault, "[now] a");
  assertEquals(verify("", "220 mail ESMTP\n", [100]).fault, "220 mail ESMTP");
  assertEquals(verify("a\nb\n", `[now] a\n[now] ${"x".repeat(100)}\n`, [100]).fault?.length, 63);
  assertEquals(verify("a\nb\n", "[now] a\nb\n", [100]), {
    passed: "[now] a\n",
    answered: 1,
    error: undefined,
    fault: "b",
  });
});

test(
  "what waits for its reply is bounded, but for a line that is still being sent",
  { level: "heavy" },
  () => {
    const piece = encode("x".repeat(65_535) + "\n");
    const verifier = new ReplyVerifier();
    let sent = 0;
    for (; verifier.room(piece.length) !== undefined; sent++) send(verifier, piece);
    assertEquals([sent, verifier.sent, verifier.isWaiting], [127, 127, true]);
    // Each reply makes room for a line; the ring is gone through many times.
    for (let i = 0; i < 1000; i++) {
      assertEquals(verifier.arrived(piece).length, piece.length);
      send(verifier, piece);
    }
    for (let i = 0; i < sent; i++) verifier.arrived(piece);
    assertEquals([verifier.sent, verifier.answered, verifier.fault], [1000 + sent, 1000 + sent, undefined]);
    assert(!verifier.isWaiting);
    // The longest line that a server may be told to take.
    const part = encode("y".repeat(1 << 20));
    for (let i = 0; i < 64; i++) send(verifier, part);
    assert(!verifier.isWaiting, "its end is not sent yet");
    assertEquals(verifier.room(part.length)?.length, 1);
    send(verifier, encode("\n"));
    assert(verifier.isWaiting);
    assertEquals(verifier.room(part.length), undefined);
    for (let i = 0; i < 64; i++) assertEquals(verifier.arrived(part).length, part.length);
    verifier.arrived(encode("\n"));
    assertEquals([verifier.sent, verifier.answered, verifier.fault], [1001 + sent, 1001 + sent, undefined]);
    // One byte more.
    for (let i = 0; i < 64; i++) send(verifier, part);
    send(verifier, encode("y"));
    assertThrows(
      () => verifier.room(part.length),
      RangeError,
      "a line longer than 64MiB cannot be verified",
    );
    verifier.close();
  },
);

test("what is held back is put in front of what follows where there is room, and changes nothing else", () => {
  assertProperty(fc.property(lines, fc.constantFrom(...STAMPS), cuts, (lines, stamp, sizes) => {
    const replies = encode(lines.map((line) => `${stamp}${line}\n`).join(""));
    const verifier = new ReplyVerifier();
    send(verifier, encode(lines.map((line) => `${line}\n`).join("")));
    let passed = "";
    for (let at = 0, i = 0; at < replies.length; i++) {
      const piece = replies.subarray(at, at + sizes[i % sizes.length]!);
      const memory = new Uint8Array(1 + MAX_HELD + piece.length);
      memory.set(piece, 1 + MAX_HELD);
      const out = verifier.arrived(memory.subarray(1 + MAX_HELD), MAX_HELD);
      assert(out.length === 0 || out.buffer === memory.buffer, "no copy is made");
      assertEquals(memory[0], 0, "no more than the room is written");
      passed += decode(out);
      at += piece.length;
    }
    assertEquals(passed + decode(verifier.ended()), decode(replies));
    assertEquals([verifier.answered, verifier.fault], [lines.length, undefined]);
    verifier.close();
  }));
});
