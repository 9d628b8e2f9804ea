import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CidrSet } from "../net/cidr.ts";
import { test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

test("an address is in a block or not", () => {
  const table: [string, string, boolean][] = [
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["10.0.0.0/8", "::ffff:a01:203", true],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true],
    ["::ffff:10.0.0.1", "10.0.0.1", true],
    ["::/0", "2001:db8::1", true],
    ["::/0", "10.0.0.1", false], // IPv4-mapped is IPv4, and ::/0 is IPv6
    ["0.0.0.0/0", "203.0.113.7", true],
    ["0.0.0.0/0", "::1", false],
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["fe80::/10", "fe80::1%eth0", true],
    ["::1", "::1", true],
    ["192.0.2.128/25", "192.0.2.127", false],
    ["192.0.2.128/25", "192.0.2.128", true],
    ["10.0.0.1, ::1 ,192.0.2.0/24", "192.0.2.9", true],
    ["10.0.0.1", "not an address", false],
  ];
  for (const [set, ip, expected] of table) {
    assertEquals(CidrSet.parse(set).has(ip), expected, `${ip} in ${set}`);
  }
});

test("what is no block is refused with the reason", () => {
  const table: [string, string][] = [
    ["", '"" is not an address or a block such as 10.0.0.0/8'],
    ["10.0.0.0/8,", '"" is not an address'],
    ["10.0.0/8", "is not an address"],
    ["10.0.0.0/-1", "is not an address"],
    ["10.0.0.0/8/8", "is not an address"],
    ["10.0.0.256", "is not an address"],
    ["fe80::1%eth0", "is not an address"],
    ["10.0.0.0/33", "the prefix has more than 32 bits"],
    ["::/129", "the prefix has more than 128 bits"],
    ["10.0.0.1/8", "the address has bits beyond its prefix of 8"],
    ["2001:db8::1/64", "the address has bits beyond its prefix of 64"],
  ];
  for (const [text, message] of table) assertThrows(() => CidrSet.parse(text), Error, message);
});

/** The slow and obvious way: both written as texts of zeros and ones, and compared up to the prefix. */
function obviously(groups: number[], width: number, prefix: number, ip: number[]): boolean {
  const bits = (parts: number[]) => parts.map((part) => part.toString(2).padStart(width, "0")).join("");
  return bits(groups).slice(0, prefix) === bits(ip).slice(0, prefix);
}

/** Numbers with the bits beyond the prefix cleared. */
function cut(parts: number[], width: number, prefix: number): number[] {
  const bits = parts.map((part) => part.toString(2).padStart(width, "0")).join("");
  const kept = bits.slice(0, prefix).padEnd(bits.length, "0");
  return parts.map((_, i) => parseInt(kept.slice(i * width, (i + 1) * width), 2));
}

test("any address is in a block exactly if the first bits are the same", () => {
  for (const [count, width] of [[4, 8], [8, 16]] as const) {
    const text = (parts: number[]) =>
      width === 8 ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");
    const part = fc.integer({ min: 0, max: 2 ** width - 1 });
    const parts = fc.array(part, { minLength: count, maxLength: count });
    const prefix = fc.integer({ min: 0, max: count * width });
    assertProperty(fc.property(parts, prefix, parts, prefix, (base, prefix, other, same) => {
      const block = cut(base, width, prefix);
      // Two random addresses share few bits: these share `same` with the block's, or differ from it in one bit.
      const ip = cut(base, width, same);
      const mixed = base.map((part, i) => part ^ (i === Math.floor(same / width) ? 1 << same % width : 0));
      // IPv4-mapped addresses are not IPv6 here; they have their rows in the table.
      if (width === 16 && [block].some((it) => it.slice(0, 5).every((part) => part === 0))) return;
      const set = CidrSet.parse(`${text(block)}/${prefix}`);
      for (const address of [ip, mixed, other, base]) {
        if (width === 16 && address.slice(0, 5).every((part) => part === 0)) continue;
        assertEquals(set.has(text(address)), obviously(block, width, prefix, address));
      }
    }));
  }
});
