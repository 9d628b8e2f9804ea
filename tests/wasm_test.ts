import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  acquireSlot,
  countLf,
  LARGE_SLOT,
  NO_LINE,
  NO_ROOM,
  releaseSlot,
  SMALL_SLOT,
  stamped,
  stampLines,
  verified,
  verifyGroup,
  verifyReplies,
} from "../protocol/wasm/kernel.ts";
import { count, stamp, verify } from "../protocol/wasm/reference.ts";
import { cases, test, volume } from "./harness.ts";
import { assertProperty } from "./properties.ts";

const RUNS = volume(cases(100), 2000);

// LF is one byte of 256, and short and long lines go different ways: both need help to be likely.
const line = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 255 }))
    .map(([length, byte]) => new Uint8Array(length).fill(byte)),
);
const input = fc.tuple(fc.array(line, { maxLength: 60 }), fc.boolean()).map(([lines, ended]) => {
  const bytes = lines.flatMap((it) => [...it, 10]);
  return Uint8Array.from(ended ? bytes : bytes.slice(0, -1));
});
const prefix = fc.uint8Array({ maxLength: 96 });
const longest = fc.oneof(fc.constant(65536), fc.integer({ min: 0, max: 100 }));

/** Stamps all of `bytes`, in as many calls as that takes. */
function stampAll(bytes: Uint8Array, from: number, end: number, prefix: Uint8Array, longest: number) {
  const replies = new Uint8Array((bytes.length + 1) * (prefix.length + 1));
  const start = from;
  let written = 0;
  let lines = 0;
  for (;;) {
    const part = stampLines(bytes, from, end, prefix, longest);
    replies.set(part, written);
    written += part.length;
    if (part.length > 0) releaseSlot(part);
    from += stamped.taken;
    lines += stamped.lines;
    if (stamped.reason !== NO_ROOM) break;
    assert(part.length > 0, "a line of at most 20,000 bytes has room");
  }
  return { replies: replies.slice(0, written), taken: from - start, lines, reason: stamped.reason };
}

test(
  "the kernel stamps as the reference does, whatever stands before, behind and left over",
  { level: "sized" },
  () => {
    const slot = acquireSlot(LARGE_SLOT);
    const inSlot = acquireSlot(SMALL_SLOT);
    assertProperty(
      fc.property(input, prefix, longest, fc.integer({ min: 0, max: 40 }), (bytes, prefix, longest, from) => {
        bytes = bytes.subarray(0, LARGE_SLOT - from);
        const expected = stamp(bytes, prefix, longest);
        slot.fill(10); // LFs around the input must not count
        slot.set(bytes, from);
        inSlot.set(prefix);
        const end = from + bytes.length;
        assertEquals(stampAll(slot, from, end, inSlot.subarray(0, prefix.length), longest), expected);
        // And where neither lies in the kernel's memory.
        assertEquals(stampAll(slot.slice(), from, end, prefix, longest), expected);
      }),
      // A line one byte too long, which chance finds in few of the runs.
      { numRuns: RUNS, examples: [[Uint8Array.of(120, 120, 10), Uint8Array.of(91), 1, 0]] },
    );
    releaseSlot(slot);
    releaseSlot(inSlot);
  },
);

test("every length of line up to five registers is stamped with every length of prefix up to a long tag's", {
  level: "heavy",
}, () => {
  for (let length = 0; length <= 80; length++) {
    const bytes = Uint8Array.from([...Array(length).fill(120), 10, ...Array(length).fill(121), 10, 122]);
    for (let prefixLength = 0; prefixLength <= 96; prefixLength++) {
      const prefix = new Uint8Array(prefixLength).fill(91);
      assertEquals(stampAll(bytes, 0, bytes.length, prefix, 80), stamp(bytes, prefix, 80));
    }
  }
});

test("a line that cannot fit beside its prefix is left, and nothing is written", () => {
  const bytes = new Uint8Array(LARGE_SLOT).fill(120);
  bytes[LARGE_SLOT - 1] = 10;
  assertEquals(stampLines(bytes, 0, bytes.length, new Uint8Array(30), LARGE_SLOT).length, 0);
  assertEquals([stamped.taken, stamped.lines, stamped.reason], [0, 0, NO_ROOM]);
  assertEquals(stampLines(bytes, 0, 1000, new Uint8Array(30), LARGE_SLOT).length, 0);
  assertEquals([stamped.taken, stamped.lines, stamped.reason], [0, 0, NO_LINE]);
});

test("line feeds are counted right, in the kernel's memory and outside", () => {
  const slot = acquireSlot(LARGE_SLOT);
  assertProperty(fc.property(input, fc.integer({ min: 0, max: 70 }), (bytes, from) => {
    bytes = bytes.subarray(0, LARGE_SLOT - from);
    slot.fill(10);
    slot.set(bytes, from);
    assertEquals(countLf(slot.subarray(from, from + bytes.length)), count(bytes));
    assertEquals(countLf(bytes), count(bytes));
  }));
  releaseSlot(slot);
});

/** Bytes of which many are the ones that matter: brackets, blanks, LF. */
const near = fc.array(fc.constantFrom(...[..."[] \nab"].map((it) => it.charCodeAt(0))), { maxLength: 300 })
  .map((it) => Uint8Array.from(it));

test("the kernel verifies as the reference does, whatever stands before, behind and left over", {
  level: "sized",
}, () => {
  const slot = acquireSlot(LARGE_SLOT);
  const other = acquireSlot(LARGE_SLOT);
  const stamps = fc.constantFrom("", "[s] ", "[2026-11-23T03:37:00.123456Z] ", "[", `[${"x".repeat(97)}] `);
  // Mostly echoes: of some lines, with a stamp, and perhaps with something at the end that is none.
  const exchanges = fc.record({ sent: fc.oneof(near, input), stamp: stamps, more: near, cut: fc.nat(400) });
  assertProperty(
    fc.property(
      exchanges,
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 0, max: 40 }),
      ({ sent, stamp, more, cut }, stamped, within, from) => {
        sent = sent.subarray(0, 20_000);
        const text = String.fromCharCode(...sent).replaceAll(/(?<=^|\n)(?!$)/g, stamp).slice(
          within ? stamp.length : 0,
        );
        const echo = Uint8Array.from(text, (char) => char.charCodeAt(0));
        const replies = Uint8Array.from([...echo.subarray(0, cut < 300 ? echo.length : cut), ...more])
          .subarray(0, LARGE_SLOT - from);
        const expected = verify(replies, sent, stamped, within, 100);
        slot.fill(10).set(replies, from);
        other.fill(93).set(sent, from);
        const inSlots = [slot, other].map((it, i) => it.subarray(from, from + [replies, sent][i]!.length));
        assertEquals(
          { reason: verifyReplies(inSlots[0]!, inSlots[1]!, stamped, within, 100), ...verified },
          expected,
        );
        // And where neither lies in the kernel's memory.
        assertEquals({ reason: verifyReplies(replies, sent, stamped, within, 100), ...verified }, expected);
      },
    ),
    { numRuns: RUNS },
  );
  releaseSlot(slot);
  releaseSlot(other);
});

test("a prefix like the one before is told from one that differs in any byte", () => {
  for (
    const stamp of [
      "[0123456789abc] ",
      "[2026-11-23T03:37:00.123456Z] ",
      `[${"x".repeat(29)}] `,
      `[${"x".repeat(30)}] `,
    ]
  ) {
    const sent = new TextEncoder().encode("one\ntwo\n");
    const replies = new TextEncoder().encode(`${stamp}one\n${stamp}two\n`);
    for (let i = 0; i < stamp.length; i++) {
      for (const byte of [10, 32, 91, 93, 120]) {
        const changed = replies.slice();
        changed[stamp.length + 4 + i] = byte;
        const expected = verify(changed, sent, true, false, 100);
        assertEquals({ reason: verifyReplies(changed, sent, true, false, 100), ...verified }, expected);
      }
    }
  }
});

test("replies are verified in groups that share a prefix, as the reference does", () => {
  const slot = acquireSlot(LARGE_SLOT);
  const stamps = [
    "[s] ",
    "[0123456789abc] ",
    "[2026-11-23T03:37:00.123456Z] ",
    "[2026-11-23T03:37:00.123457Z web-1] ",
  ];
  assertProperty(
    fc.property(
      fc.array(fc.record({ stamp: fc.constantFrom(...stamps, `[${"x".repeat(97)}] `), line: near }), {
        maxLength: 9,
      }),
      fc.nat(100),
      fc.nat(9),
      (lines, cut, change) => {
        const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
        const texts = lines.map(({ line }) => `${String.fromCharCode(...line).replaceAll("\n", "")}\n`);
        const sent = bytes(texts.join(""));
        const all = bytes(texts.map((it, i) => lines[i]!.stamp + it).join(""));
        const replies = all.subarray(0, Math.max(0, all.length - cut));
        if (change > 0 && replies.length > 0) replies[change * 37 % replies.length]! ^= 1;
        slot.fill(93).set(sent, 5);
        const places = [[replies, sent, 0], [replies, slot, 5]] as const;
        for (const [replies, ring, at] of places) {
          let [from, echoed] = [0, 0];
          for (let reason = 3; reason === 3;) {
            const expected = verify(replies.subarray(from), sent.subarray(echoed), true, false, 100, true);
            const end = at + sent.length;
            reason = verifyGroup(replies, from, replies.length, ring, at + echoed, end, true, 100);
            assertEquals({ reason, ...verified }, expected);
            from += verified.taken;
            echoed += verified.echoed;
          }
        }
      },
    ),
    { numRuns: cases(300) },
  );
  releaseSlot(slot);
});

test("one changed byte is found wherever it stands in a line of any length up to nine registers", {
  level: "heavy",
}, () => {
  for (let length = 0; length <= 144; length++) {
    const sent = Uint8Array.from([...Array(length).fill(120), 10, 120, 10]);
    for (let at = 0; at < sent.length; at++) {
      for (const byte of [10, 121]) {
        const replies = sent.with(at, byte);
        const expected = verify(replies, sent, false, false, 100);
        assertEquals({ reason: verifyReplies(replies, sent, false, false, 100), ...verified }, expected);
      }
    }
  }
});

test("no part of a message on a Unix socket is copied into a large slot a few bytes further into its page", () => {
  const slot = acquireSlot(LARGE_SLOT);
  // Linux sends up to 3,776 bytes apart, and what follows in whole pages.
  for (let apart = 0; apart <= 3776; apart++) {
    const intoPage = (slot.byteOffset + apart) % 4096;
    assert(intoPage === 0 || intoPage > 31, `${apart} bytes lead to ${intoPage}`);
  }
  releaseSlot(slot);
});

test(
  "slots never overlap, are used again, and when they run out others take their place",
  { level: "heavy" },
  () => {
    for (const [size, most] of [[SMALL_SLOT, 20_000], [LARGE_SLOT, 1000]] as const) {
      const slots = Array.from({ length: most }, () => acquireSlot(size));
      const kernelMemory = slots[0]!.buffer;
      const inside = slots.filter((slot) => slot.buffer === kernelMemory);
      assert(inside.length < most, "they do run out");
      const addresses = inside.map((slot) => slot.byteOffset).sort((a, b) => a - b);
      addresses.forEach((address, i) => assert(i === 0 || address - addresses[i - 1]! >= size));
      // The kernel answers now too, from and into other memory.
      const text = new TextEncoder().encode("a\nb\n");
      slots.at(-1)!.set(text);
      // Of the large ones a part is for replies alone.
      const held = Array.from(
        { length: size === LARGE_SLOT ? most : 0 },
        () => stampLines(text, 0, text.length, text.subarray(0, 1), 10),
      );
      const replies = stampLines(slots.at(-1)!, 0, text.length, text.subarray(0, 1), 10);
      assertEquals(new TextDecoder().decode(replies), "aa\nab\n");
      if (size === LARGE_SLOT) assert(replies.buffer !== kernelMemory);
      releaseSlot(replies);
      held.forEach(releaseSlot);
      slots.forEach(releaseSlot);
      if (size === LARGE_SLOT) assertEquals(slots.at(-1)!.length, 0, "what is no slot is given back at once");
      const again = Array.from({ length: inside.length }, () => acquireSlot(size));
      assert(again.every((slot) => slot.buffer === kernelMemory));
      again.forEach(releaseSlot);
    }
  },
);
