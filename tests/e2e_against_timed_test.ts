/** Whether what load --against says of two servers is true; alone on the machine, as a stall makes any server slow. */
import { assertEquals, assertMatch } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { Folder, tsecho } from "./helpers.ts";
import { delayingServer } from "./peers.ts";

test("load --against tells a slower server from a quick one", { level: "slow" }, async () => {
  await using quick = await delayingServer(0);
  await using slow = await delayingServer(2000);
  await using folder = await Folder.make();
  const file = folder.file("ab.json");
  const short = ["-R", "20", "-c", "2", "-t", "0.3", "--warmup", "0", "-W", "30", "--repeat", "5", "-q"];
  const args = ["load", ...short, "--json", file, "--fail-if", "p50>+10%", "--against", slow.url, quick.url];
  const { code, stdout, stderr } = await tsecho(args);
  assertEquals(code, 3, stdout);
  assertMatch(stderr, /^tsecho: Threshold broken: p50>\+10%: it is from \+\d/);
  assertMatch(stdout, /^p50 +\d+\.\d{3} ms +\d+\.\d{3} ms +[\d.]+ +[\d.]+ to [\d.]+ +worse$/m);
  const { comparison } = JSON.parse(await Deno.readTextFile(file));
  assertEquals([comparison.method, comparison.metrics.p50.verdict], ["runs", "worse"]);
});
