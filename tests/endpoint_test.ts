import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Endpoint, formatAddress, formatEndpoint, isIpv4, isIpv6 } from "../net/endpoint.ts";
import { parseEndpoint } from "../net/transports.ts";
import { test } from "./harness.ts";
import { assertProperty, CHARACTER } from "./properties.ts";

const DEFAULTS = { hostname: "localhost", port: 21567 };

test("every form of an endpoint is read", () => {
  const table: [string, string, number][] = [
    ["tcp://web:7007", "web", 7007],
    ["TCP://web:7007", "web", 7007],
    ["tcp://web", "web", 21567],
    ["tcp://:7007", "localhost", 7007],
    ["tcp://[::1]:7007", "::1", 7007],
    ["web", "web", 21567],
    ["web:7007", "web", 7007],
    [":7007", "localhost", 7007],
    [":0", "localhost", 0],
    [":65535", "localhost", 65535],
    ["[::1]", "::1", 21567],
    ["[::1]:7007", "::1", 7007],
    ["::1", "::1", 21567],
    ["::", "::", 21567],
    ["fe80::1%eth0", "fe80::1%eth0", 21567],
    ["[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1],
    ["127.0.0.1:7007", "127.0.0.1", 7007],
    ["web-2.example.org:7", "web-2.example.org", 7],
    ["bücher.example:7", "bücher.example", 7],
    ["example.org.", "example.org.", 21567],
    ["tcp://", "localhost", 21567],
  ];
  for (const [text, hostname, port] of table) {
    assertEquals(parseEndpoint(text, DEFAULTS, 0), { transport: "tcp", hostname, port }, text);
  }
});

test("what is no endpoint is refused with what was expected", () => {
  const table: [string, string][] = [
    ["", "expected tcp://host:port"],
    ["http://web", 'unknown scheme "http", expected tcp://host:port'],
    ["web:70000", "expected a port, 0 to 65535"],
    ["web:abc", "expected a port"],
    ["web:", "expected a port"],
    ["web:-1", "expected a port"],
    ["web:7 ", "expected a port"],
    ["web:7/", "expected a port"],
    ["[::1", "is not a host"],
    ["[zz]:7", '"zz" is not an IPv6 address'],
    ["[]:7", '"" is not an IPv6 address'],
    ["1:2:3", "expected a port"],
    ["we b", '"we b" is not a host'],
    ["user@web", "is not a host"],
    ["web/path", "is not a host"],
    ["a..b", '"a..b" is not a host'],
    [".", '"." is not a host'],
    ["34567", "is it a port? write :34567"],
    ["7", "is it a port? write :7"],
    ["./t.sock", "is it a Unix socket? write unix:./t.sock"],
    ["/run/tsecho", "is it a Unix socket? write unix:/run/tsecho"],
    ["../t.sock", "is it a Unix socket? write unix:../t.sock"],
    ["run/t.sock", "is it a Unix socket? write unix:run/t.sock"],
    ["//web", "is not a host"],
    ["tcp:///t.sock", "is not a host"],
    ["tls://34567", "is it a port? write tls://:34567"],
  ];
  for (const [text, message] of table) {
    assertThrows(() => parseEndpoint(text, DEFAULTS, 0), Error, message);
  }
  for (const text of ["web:0", "web:70000"]) {
    assertThrows(() => parseEndpoint(text, DEFAULTS, 1), Error, "expected a port, 1 to 65535");
  }
});

test("the transport is what stands in front", () => {
  const table: [string, Endpoint][] = [
    ["tls://web:7", { transport: "tls", hostname: "web", port: 7 }],
    ["udp://", { transport: "udp", hostname: "localhost", port: 21567 }],
    ["udp://:7", { transport: "udp", hostname: "localhost", port: 7 }],
    ["UDP://[::1]", { transport: "udp", hostname: "::1", port: 21567 }],
    ["unix:/run/tsecho.sock", { transport: "unix", path: "/run/tsecho.sock" }],
    ["unix:///run/tsecho.sock", { transport: "unix", path: "/run/tsecho.sock" }],
    ["unix:here.sock", { transport: "unix", path: "here.sock" }],
    ["unix:/a b:ü", { transport: "unix", path: "/a b:ü" }],
    ["tcp://unix:7", { transport: "tcp", hostname: "unix", port: 7 }],
  ];
  for (const [text, endpoint] of table) assertEquals(parseEndpoint(text, DEFAULTS, 0), endpoint, text);
  for (const text of ["unix:", "unix://", "unix://run/x", "unix:a\0b"]) {
    assertThrows(() => parseEndpoint(text, DEFAULTS, 0), Error, "expected a path, as in unix:/path");
  }
});

test("an endpoint written is the endpoint read", () => {
  const hostname = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().filter((ip) => !/^::ffff:\d+\./i.test(ip)),
    fc.constant("::1"),
  );
  const host = fc.record({
    transport: fc.constantFrom("tcp", "tls", "udp"),
    hostname,
    port: fc.integer({ min: 0, max: 65535 }),
  });
  const path = fc.string({ minLength: 1, unit: CHARACTER })
    .filter((path) => !path.startsWith("//") && !/\p{Cc}/u.test(path));
  const endpoint: fc.Arbitrary<Endpoint> = fc.oneof(
    host,
    path.map((path) => ({ transport: "unix", path })),
  );
  assertProperty(fc.property(endpoint, (endpoint) => {
    assertEquals(parseEndpoint(formatEndpoint(endpoint), DEFAULTS, 0), { ...endpoint });
  }));
});

test("any text is read or refused, in either case at once", () => {
  assertProperty(
    fc.property(fc.oneof(fc.string({ unit: CHARACTER }), fc.string().map((it) => `unix:${it}`)), (text) => {
      try {
        const endpoint = parseEndpoint(text, DEFAULTS, 0);
        const again = parseEndpoint(formatEndpoint(endpoint), DEFAULTS, 0);
        // An IPv4-mapped address is written as the IPv4 address that it means.
        assertEquals({ ...again, hostname: "" }, { ...endpoint, hostname: "" });
      } catch (error) {
        assertEquals((error as Error).constructor, Error);
      }
    }),
  );
});

test("an IPv4-mapped peer is shown as the IPv4 address it is", () => {
  assertEquals(formatAddress({ hostname: "::ffff:10.1.2.3", port: 7 }), "10.1.2.3:7");
  assertEquals(formatAddress({ hostname: "::1", port: 7 }), "[::1]:7");
});

test("IP literals are told from names", () => {
  assertProperty(fc.property(fc.ipV4(), (ip) => isIpv4(ip) && !isIpv6(ip)));
  assertProperty(fc.property(fc.ipV6(), (ip) => isIpv6(ip) && !isIpv4(ip)));
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.256",
      "a.b.c.d",
      "1",
      ":",
      ":::",
      "::1%",
      "::1%a%b",
      "12345::",
      "localhost",
    ]
  ) {
    assertEquals([isIpv4(text), isIpv6(text)], [false, false], text);
  }
});
