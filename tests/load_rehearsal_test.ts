import { assertEquals } from "@std/assert";
import { type LoadOptions, planOf } from "../load/options.ts";
import { rehearse } from "../load/rehearsal.ts";
import { test } from "./harness.ts";

const LOOPS: [name: string, options: LoadOptions][] = [
  ["an open loop", { rate: 5, connections: 1, size: 1000 }],
  ["a closed loop", { depth: 4, think: 100 }],
  ["a closed loop of many lines in flight", { depth: 10_000, lines: [new Uint8Array(60_000)] }],
  ["lines with connections of their own", { rate: 1e6, reconnect: true }],
];
for (const [name, options] of LOOPS) {
  test(
    `a rehearsal of ${name} sends all its lines, and each comes back in time`,
    { level: "heavy" },
    async () => {
      const { planned, sent, received, response, service, servers } = await rehearse(planOf(options));
      assertEquals({ planned, sent, received }, { planned: 6000, sent: 6000, received: 6000 });
      assertEquals(response.count, options.rate === undefined ? 0 : 6000);
      assertEquals(service.count, 6000);
      // What the stamps tell is rehearsed, too.
      assertEquals(servers.get(null)!.up.count > 0, true);
    },
  );
}
