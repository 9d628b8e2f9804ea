import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  DatagramReplies,
  errorReply,
  type Framing,
  LineSplitter,
  ReplyScanner,
  Responder,
} from "../protocol.ts";
import { cases, send, test } from "./harness.ts";
import { assertProperty, CHARACTER } from "./properties.ts";

const PREFIX = new TextEncoder().encode("[stamp] ");
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

/** Feeds `input` in pieces of the sizes given, again and again, and returns all that comes back. */
function answer(
  input: Uint8Array,
  sizes: number[],
  options: { framing?: Framing; maxLine?: number } = {},
) {
  const responder = new Responder(options.framing ?? "line", options.maxLine ?? 65536);
  let replies = "";
  const takeAll = () => {
    for (let taken; (taken = responder.next(PREFIX)) !== undefined;) replies += decode(taken);
  };
  for (let at = 0, i = 0; at < input.length && !responder.overlong; i++) {
    const space = responder.readBuffer();
    const n = Math.min(sizes[i % sizes.length]!, space.length, input.length - at);
    space.set(input.subarray(at, at + n));
    responder.commit(n);
    takeAll();
    at += n;
  }
  responder.end();
  takeAll();
  const { lines, overlong } = responder;
  responder.close();
  return { replies, lines, overlong };
}

/** What the protocol promises, written down the slow and obvious way. */
function expected(input: Uint8Array): string {
  const lines = decode(input).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => `[stamp] ${line}\n`).join("");
}

// LF is one byte of 256: without help a random line would seldom end.
const bytes = fc.array(fc.oneof(fc.constant(10), fc.integer({ min: 0, max: 255 })), {
  maxLength: 3000,
  size: "max",
})
  .map((values) => Uint8Array.from(values));
const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 });

test("any bytes, cut at any places, are answered line by line, in order", () => {
  assertProperty(
    fc.property(bytes, cuts, (input, sizes) => {
      const { replies, lines } = answer(input, sizes);
      assertEquals(replies, expected(input));
      assertEquals(lines, replies.split("\n").length - 1);
    }),
    { numRuns: cases(300) },
  );
});

test("long lines make the buffer grow and come back whole, and short ones make it small again", () => {
  const line = (length: number) => "x".repeat(length) + "\n";
  const text = line(65536) + line(1000) + "\n".repeat(5000) + line(40000) + line(3);
  for (const sizes of [[1], [7, 1000], [65536], [1024, 1, 60000]]) {
    assertEquals(answer(encode(text), sizes).replies, expected(encode(text)));
  }
});

test("reads that end exactly at the buffer's end make it grow in line framing, not in chunk framing", () => {
  for (const length of [1, 32, 256, 1024]) {
    const read = encode(("x".repeat(length - 1) + "\n").repeat(1024 / length));
    for (const [framing, grown] of [["line", 128 * 1024], ["chunk", 1024]] as const) {
      const responder = new Responder(framing, 65536);
      const feed = (bytes: Uint8Array) => {
        const space = responder.readBuffer();
        space.set(bytes);
        responder.commit(bytes.length);
        while (responder.next(PREFIX) !== undefined);
        return space.length;
      };
      assertEquals([feed(read), feed(read), feed(read)], [1024, grown, grown]);
      // And back when reads are small again.
      for (let i = 0; i < 16; i++) feed(encode("x\n"));
      assertEquals(feed(encode("x\n")), 1024);
      assertEquals(responder.lines, framing === "chunk" ? 20 : 3 * 1024 / length + 17);
      responder.close();
    }
  }
});

test("a line of exactly the longest length is answered and one byte more is too long", () => {
  for (const sizes of [[1], [3], [100]]) {
    const fits = answer(encode("a\n" + "b".repeat(10) + "\nc"), sizes, { maxLine: 10 });
    assertEquals([fits.replies, fits.overlong], [
      "[stamp] a\n[stamp] bbbbbbbbbb\n[stamp] c\n",
      false,
    ]);
    for (const tail of ["", "\n", "\nc\n"]) {
      const exceeds = answer(encode("a\n" + "b".repeat(11) + tail), sizes, { maxLine: 10 });
      assertEquals([exceeds.replies, exceeds.overlong, exceeds.lines], ["[stamp] a\n", true, 1]);
    }
  }
});

test("a longest line beyond the usual buffer is possible", () => {
  const text = "x".repeat(300_000) + "\n";
  assertEquals(answer(encode(text), [65536], { maxLine: 300_000 }).replies, `[stamp] ${text}`);
  assert(answer(encode(text), [65536], { maxLine: 299_999 }).overlong);
});

test("in chunk framing each read is answered as it came", () => {
  assertProperty(fc.property(bytes, cuts, (input, sizes) => {
    let expected = "";
    for (let at = 0, i = 0; at < input.length; i++) {
      const n = Math.min(sizes[i % sizes.length]!, 1024, input.length - at);
      expected += `[stamp] ${decode(input.subarray(at, at + n))}`;
      at += n;
    }
    assertEquals(answer(input, sizes, { framing: "chunk" }).replies, expected);
  }));
});

/** Streams replies in pieces through a counter. */
function count(text: string, sizes: number[], sent = "hello\n") {
  const replies = new ReplyScanner();
  send(replies, encode(sent));
  const input = encode(text);
  let passed = "";
  for (let at = 0, i = 0; at < input.length; i++) {
    const n = sizes[i % sizes.length]!;
    passed += decode(replies.arrived(input.subarray(at, at + n)));
    at += n;
  }
  passed += decode(replies.ended());
  replies.close();
  return { passed, answered: replies.answered, error: replies.error };
}

test("replies are counted and passed on byte for byte, however they are cut", () => {
  assertProperty(fc.property(bytes, cuts, (input, sizes) => {
    const text = decode(input).replaceAll(/[^\n]/g, "x");
    assertEquals(count(text, sizes), {
      passed: text,
      answered: text.split("\n").length - 1,
      error: undefined,
    });
  }));
});

test("an error reply at the end is told from the replies before it, however they are cut", () => {
  const error = decode(errorReply("idle for 10s"));
  for (const before of ["", "[stamp] a\n", "[stamp] a\n[stamp] error: not one\n"]) {
    const answered = before.split("\n").length - 1;
    for (let size = 1; size < 40; size++) {
      const expected = { passed: before, answered, error: "idle for 10s" };
      assertEquals(count(before + error, [before.length || 1000, size, 1000]), expected);
      assertEquals(count(before + error, [size]), expected);
    }
  }
});

test("an echo without stamps that looks like an error is an echo", () => {
  const sent = "error: 42\nnext\n";
  assertEquals(count(sent, [1000], sent), { passed: sent, answered: 2, error: undefined });
  assertEquals(count("error: 42\n", [1000], "error: 42\n"), {
    passed: "error: 42\n",
    answered: 1,
    error: undefined,
  });
  assertEquals(count("plain\nerror: 42\n", [6, 100], "plain\n").error, undefined);
});

test("replies to datagrams are matched by their payload, with a stamp, a tag or without", () => {
  const replies = new DatagramReplies();
  for (const text of ["a\n", "b\n", "a\n", "[x] c\n", "d\n"]) replies.sending(encode(text), 0);
  const arrived = (text: string) => replies.arrived(encode(text));
  assert(arrived("[2026-11-23T03:37:00.123456Z] a\n"));
  assert(arrived("[1795405020.123456 web-2] b\n"));
  assert(arrived("[Mon Nov 23 03:37:00 2026] [x] c\n"));
  assertEquals(replies.reordered, 0);
  assert(arrived("a\n")); // sent before [x] c
  assertEquals([replies.answered, replies.reordered, replies.stray, replies.waiting], [4, 1, 0, 1]);
  for (const text of ["a\n", "[2026-11-23T03:37:00.123456Z] e\n", "", "[no stamp] d\n"]) {
    assert(!arrived(text));
  }
  assertEquals([replies.stray, replies.waiting], [4, 1]);
  replies.expire(0);
  assertEquals([replies.lost, replies.waiting], [1, 0]);
  assert(!arrived("d\n")); // too late
});

test("datagrams are given up in the order in which they were sent", () => {
  const replies = new DatagramReplies();
  for (let i = 0; i < 10; i++) replies.sending(encode("same"), i);
  replies.expire(3);
  assertEquals([replies.lost, replies.oldest], [4, 4]);
  assert(replies.arrived(encode("same")));
  assertEquals(replies.oldest, 5);
});

test("replies in any order, some lost and some doubled, are counted as they are", () => {
  const sent = fc.array(fc.string({ unit: CHARACTER, maxLength: 3 }), { maxLength: 30 });
  assertProperty(fc.property(sent, fc.infiniteStream(fc.nat()), (sent, random) => {
    const replies = new DatagramReplies();
    // Numbered, so that each is its own.
    const payloads = sent.map((text, i) => `${text} ${i}`);
    for (const payload of payloads) replies.sending(encode(payload), 0);
    const left = payloads.map((payload, number) => ({ payload, number }));
    let highest = -1, reordered = 0, answered = 0, stray = 0;
    while (left.length > 0) {
      const [reply] = left.splice(random.next().value % left.length, 1);
      const times = random.next().value % 3; // lost, once, or twice
      if (times > 0) answered++;
      if (times > 1) stray++;
      if (times > 0 && reply!.number < highest) reordered++;
      if (times > 0) highest = Math.max(highest, reply!.number);
      for (let i = 0; i < times; i++) replies.arrived(encode(`[1795405020.123456] ${reply!.payload}`));
    }
    replies.expire(0);
    const counted = { answered: replies.answered, reordered: replies.reordered, stray: replies.stray };
    assertEquals(counted, { answered, reordered, stray });
    assertEquals(replies.lost, sent.length - answered);
  }));
});

test("a stream is split after each LF and where a line is too long, however it is cut", () => {
  const stream = encode(`one\n\n${"x".repeat(10)}\n${"y".repeat(9)}\n${"z".repeat(25)}\nbegun`);
  for (let cut = 1; cut <= stream.length; cut++) {
    const splitter = new LineSplitter(10);
    const parts: string[] = [];
    for (let at = 0; at < stream.length; at += cut) {
      for (const part of splitter.split(stream.subarray(at, at + cut))) {
        parts.push((splitter.continued ? "+" : "") + decode(part));
      }
    }
    const expected = [
      "one\n",
      "\n",
      "xxxxxxxxxx",
      "+\n",
      "yyyyyyyyy\n",
      "zzzzzzzzzz",
      "+zzzzzzzzzz",
      "+zzzzz\n",
    ];
    assertEquals(parts, expected, `cut at ${cut}`);
    assert(splitter.begun);
    assertEquals(decode(splitter.takeRest()), "begun");
    assert(!splitter.begun);
  }
  const tooLong = new LineSplitter(3);
  assertEquals([...tooLong.split(encode("abcd"))].map(decode), ["abc"]);
  assert(!tooLong.begun, "its first part was given");
});
