import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { CidrSet } from "../net/cidr.ts";
import { DatagramGuard } from "../net/guard.ts";
import { test } from "./harness.ts";
import { assertProperty } from "./properties.ts";

const address = (hostname: string, port = 40000) => ({ hostname, port });
const guard = (options: { rate?: number; allow?: CidrSet; deny?: CidrSet } = {}) =>
  new DatagramGuard({ rate: 1000, ownPorts: new Set([21567]), ...options });

test("sources that never asked get no answer", () => {
  const table: [string, number, string | undefined][] = [
    ["192.0.2.1", 40000, undefined],
    ["192.0.2.1", 1024, undefined],
    ["192.0.2.1", 1023, "low-source-port"],
    ["192.0.2.1", 7, "low-source-port"],
    ["192.0.2.1", 0, "low-source-port"],
    ["192.0.2.1", 21567, undefined], // another machine's, whose stamp gives it away
    ["127.0.0.1", 21568, undefined],
    ["224.0.0.1", 40000, "broadcast-source"],
    ["239.255.255.255", 40000, "broadcast-source"],
    ["255.255.255.255", 40000, "broadcast-source"],
    ["0.0.0.0", 40000, "broadcast-source"],
    ["ff02::1", 40000, "broadcast-source"],
    ["::", 40000, "broadcast-source"],
    ["::ffff:224.0.0.1", 40000, "broadcast-source"],
    ["223.255.255.255", 40000, undefined],
    ["fe80::1%eth0", 40000, undefined],
  ];
  for (const [ip, port, expected] of table) {
    assertEquals(guard().check(address(ip, port), 0), expected, `${ip} ${port}`);
  }
  assertEquals(guard({ deny: CidrSet.parse("192.0.2.0/24") }).check(address("192.0.2.1"), 0), "denied");
  assertEquals(guard({ allow: CidrSet.parse("::1") }).check(address("192.0.2.1"), 0), "denied");
});

test("datagrams of the server's own sockets get no answer", { needs: ["--allow-net"] }, () => {
  for (const ip of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
    assertEquals(guard().check(address(ip, 21567), 0), "own-socket", ip);
  }
});

test("a source gets so many answers a second, and an IPv6 network of 64 bits is one source", () => {
  const limited = guard({ rate: 3 });
  const answers = (ip: string, now: number) =>
    Array.from({ length: 5 }, () => limited.check(address(ip), now)).filter((it) => it === undefined)
      .length;
  assertEquals(answers("192.0.2.1", 0), 3);
  assertEquals(limited.check(address("192.0.2.1", 5000), 999), "rate");
  assertEquals(answers("192.0.2.2", 0), 3);
  assertEquals(answers("192.0.2.1", 1000), 3);
  assertEquals(answers("2001:db8::1", 1000), 3);
  assertEquals(answers("2001:db8:0:0:1::7", 1000), 0);
  assertEquals(answers("2001:db8:0:1::1", 1000), 3);
  assertEquals(answers("::1", 1000), 3);
  const any = guard({ rate: 0 });
  for (let i = 0; i < 10_000; i++) assertEquals(any.check(address("192.0.2.1"), 0), undefined);
});

test("IPv6 addresses share their answers exactly if their first 64 bits are the same", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 })
    .filter(([first]) => first! > 0 && first! < 0xff00);
  assertProperty(fc.property(groups, groups, fc.nat(8), (a, b, same) => {
    const write = (parts: number[]) =>
      new URL(`http://[${parts.map((part) => part.toString(16)).join(":")}]/`).hostname.slice(1, -1);
    const mixed = [...a.slice(0, same), ...b.slice(same)];
    const one = guard({ rate: 1 });
    one.check(address(write(a)), 0);
    const shared = one.check(address(write(mixed)), 0) !== undefined;
    assertEquals(shared, a.slice(0, 4).join() === mixed.slice(0, 4).join());
  }));
});

test("a flood of forged sources is not answered without end", { level: "heavy" }, () => {
  const limited = guard({ rate: 1 });
  let answered = 0;
  for (let i = 0; i < 120_000; i++) {
    const ip = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    if (limited.check(address(ip), 0) === undefined) answered++;
  }
  assertEquals(answered, 100_000);
});
