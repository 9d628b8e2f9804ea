import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { canonical } from "../net/endpoint.ts";
import { formatProxyHeader, MAX_HEADER_LENGTH, parseProxyHeader, PROXY_VERSIONS } from "../net/proxy.ts";
import { cases, test } from "./harness.ts";
import { ascii, proxyV2 } from "./helpers.ts";
import { assertProperty } from "./properties.ts";

const source = (hostname: string, port: number) => ({ hostname, port });

test("headers of both versions tell the real client", () => {
  const table: [Uint8Array, { hostname: string; port: number } | undefined][] = [
    [ascii("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), source("192.0.2.7", 56324)],
    [ascii("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), source("255.255.255.255", 65535)],
    [ascii("PROXY TCP6 2001:db8::7 2001:db8::1 0 443\r\n"), source("2001:db8::7", 0)],
    [ascii("PROXY TCP6 2001:DB8:0::7 2001:db8::1 5 443\r\n"), source("2001:db8::7", 5)],
    [ascii("PROXY TCP6 0:0:0:0:0:ffff:1.2.3.4 ::1 5 443\r\n"), source("1.2.3.4", 5)],
    [ascii("PROXY TCP6 ::FFFF:102:304 ::1 5 443\r\n"), source("1.2.3.4", 5)],
    [
      proxyV2({
        family: 0x21,
        addresses: [...Array(10).fill(0), 255, 255, 1, 2, 3, 4, ...Array(16).fill(0), 1, 0, 0, 1],
      }),
      source("1.2.3.4", 256),
    ],
    [ascii("PROXY UNKNOWN\r\n"), undefined],
    [ascii(`PROXY UNKNOWN ${"f".repeat(91)}\r\n`), undefined], // 107 bytes, the longest
    [proxyV2({ addresses: [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 1, 187] }), source("192.0.2.7", 56324)],
    [
      proxyV2({ family: 0x21, addresses: [...Array(15).fill(0), 1, ...Array(16).fill(0), 1, 0, 0, 1] }),
      source("::1", 256),
    ],
    [proxyV2({ addresses: [...Array(12).fill(1)], tlvs: 4000 }), source("1.1.1.1", 257)],
    [proxyV2({ command: 0x20, family: 0, addresses: [] }), undefined], // LOCAL
    [proxyV2({ command: 0x20, family: 0xff, addresses: [1, 2, 3] }), undefined], // its addresses are to be ignored
    [proxyV2({ family: 0, addresses: [], tlvs: 65535 }), undefined], // UNSPEC, and the longest
    [proxyV2({ family: 0x31, addresses: Array(216).fill(0) }), undefined], // UNIX
  ];
  for (const [header, expected] of table) {
    // Byte by byte it is incomplete, until it is there; what follows it does not matter.
    const step = Math.max(1, Math.floor(header.length / 300));
    for (let n = 0; n < header.length; n += step) {
      assertEquals(parseProxyHeader(header.subarray(0, n)).state, "incomplete");
    }
    assertEquals(parseProxyHeader(header.subarray(0, header.length - 1)).state, "incomplete");
    for (const followed of [[], [...ascii("hello\r\n")]]) {
      const parsed = parseProxyHeader(Uint8Array.from([...header, ...followed]));
      assertEquals(parsed, { state: "complete", length: header.length, source: expected });
    }
  }
  assertEquals(proxyV2({ family: 0, addresses: [], tlvs: 65535 }).length, MAX_HEADER_LENGTH);
});

test("what is no header is refused with the reason, as soon as that is certain", () => {
  const malformed = (what: string) => `malformed PROXY header: ${what}`;
  const table: [Uint8Array | string, string][] = [
    ["hello\n", "no PROXY header"],
    ["PROXIES", "no PROXY header"],
    ["\r\n\r\n\r\n", "no PROXY header"],
    ["proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "no PROXY header"],
    ["PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", malformed("no CRLF at its end")],
    ["PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n", malformed("unknown family")],
    ["PROXY \r\n", malformed("unknown family")],
    ["PROXY UNKNOWNS\r\n", malformed("unknown family")],
    ["PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n", malformed("bad address")],
    ["PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n", malformed("bad address")],
    ["PROXY TCP4 ::1 ::1 1 2\r\n", malformed("bad address")],
    ["PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", malformed("bad address")],
    ["PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", malformed("bad address")],
    ["PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", malformed("bad address")],
    ["PROXY TCP4 1.1.1.1\r\n", malformed("bad address")],
    ["PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n", malformed("bad port")],
    ["PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", malformed("bad port")],
    ["PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", malformed("bad port")],
    ["PROXY TCP4 1.1.1.1 2.2.2.2 1 -2\r\n", malformed("bad port")],
    ["PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", malformed("more than it should have")],
    [`PROXY UNKNOWN ${"f".repeat(92)}\r\n`, "PROXY header longer than 107 bytes"],
    [`PROXY TCP4 ${"1".repeat(200)}`, "PROXY header longer than 107 bytes"],
    [proxyV2({ command: 0x11 }), malformed("unknown version")],
    [proxyV2({ command: 0x22 }), malformed("unknown command")],
    [proxyV2({ family: 0x41 }), malformed("unknown family")],
    [proxyV2({ family: 0x13 }), malformed("unknown family")],
    [proxyV2({ addresses: Array(11).fill(0) }), malformed("shorter than its addresses")],
    [proxyV2({ family: 0x21, addresses: Array(35).fill(0) }), malformed("shorter than its addresses")],
    [proxyV2({ family: 0x31, addresses: Array(215).fill(0) }), malformed("shorter than its addresses")],
  ];
  for (const [header, reason] of table) {
    const bytes = typeof header === "string" ? ascii(header) : header;
    assertEquals(parseProxyHeader(bytes), { state: "bad", reason }, String(header));
  }
});

test("a header that is written is read as the connection's source", () => {
  const ends = (ip: fc.Arbitrary<string>) => {
    const end = fc.record({ hostname: ip, port: fc.integer({ min: 0, max: 65535 }) });
    return fc.record({ source: end, destination: end });
  };
  const route = fc.oneof(ends(fc.ipV4()), ends(fc.ipV6()));
  assertProperty(fc.property(fc.constantFrom(...PROXY_VERSIONS), route, (version, route) => {
    const header = formatProxyHeader(version, route);
    const ips = [route.source, route.destination].map(({ hostname }) => canonical(hostname));
    const isMixed = ips[0]!.includes(":") !== ips[1]!.includes(":");
    const source = isMixed ? undefined : { hostname: ips[0]!, port: route.source.port };
    assertEquals(parseProxyHeader(header), { state: "complete", length: header.length, source });
  }));
  for (const version of PROXY_VERSIONS) {
    const header = formatProxyHeader(version, undefined);
    assertEquals(parseProxyHeader(header), { state: "complete", length: header.length, source: undefined });
  }
  const text = (hostname: string) => {
    const end = { hostname, port: 1 };
    return new TextDecoder().decode(formatProxyHeader("v1", { source: end, destination: end }));
  };
  assertEquals(text("fe80::1%eth0"), "PROXY TCP6 fe80::1 fe80::1 1 1\r\n");
  assertEquals(text("::ffff:10.0.0.1"), "PROXY TCP4 10.0.0.1 10.0.0.1 1 1\r\n");
});

test("any bytes are a header, none, or the beginning of one", () => {
  const signature = fc.constantFrom(
    [...ascii("PROXY ")],
    [...ascii("PROXY TCP4 1.2.3.4 ")],
    [...ascii("PROXY TCP6 ::1 ")],
    [...proxyV2({}).subarray(0, 12)],
    [...proxyV2({}).subarray(0, 16)],
    [],
  );
  const bytes = fc.array(
    fc.oneof(fc.constantFrom(0x20, 0x21, 0x11, 13, 10, 32), fc.integer({ min: 0, max: 255 })),
    {
      maxLength: 300,
    },
  );
  assertProperty(
    fc.property(signature, bytes, (signature, rest) => {
      const all = Uint8Array.from([...signature, ...rest]);
      const parsed = parseProxyHeader(all);
      if (parsed.state === "complete") assert(parsed.length <= all.length);
      if (parsed.state === "incomplete") assert(all.length < MAX_HEADER_LENGTH);
      // What has been decided stays so, whatever follows.
      if (parsed.state !== "incomplete") {
        assertEquals(parseProxyHeader(Uint8Array.from([...all, 1, 2])), parsed);
      }
    }),
    { numRuns: cases(5000) },
  );
});
