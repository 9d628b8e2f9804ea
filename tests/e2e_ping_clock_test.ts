/** What ping tells of the server's clock and of the two directions, where the truth is known. */
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { Folder, Running, ServerPeer, ServerProcess, TSECHO, tsecho, within } from "./helpers.ts";
import { contains, pingJson } from "./ping_helpers.ts";
import { DelayingRelay, faketime } from "./peers.ts";

for (const [offset, whose] of [[90, "server"], [-3, "client"]] as const) {
  test({
    name: `ping proves how far a server's clock is off: ${offset} s`,
    needs: ["faketime"],
    level: offset === 90 ? "quick" : "slow",
    fn: async () => {
      await using server = await ServerProcess.start([], faketime(offset));
      const { end } = await pingJson([`:${server.port}`, "-4", "-c", "20", "-i", "0"]);
      const [found] = end.servers;
      assert(contains(found!.offset!, offset), JSON.stringify(found));
      assert(found!.offset!.bound <= end.rtt!.min, "one round trip alone proves as much");
      assertEquals(found!.ahead, whose);
      const text = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "3", "-i", "0", "-q"]);
      const [, ms, bound] = /^clock offset ([+-][\d.]+) ms ± ([\d.]+) ms, (?:server|client) ahead$/m.exec(
        text.stdout,
      )!;
      assert(contains({ value: Number(ms), bound: Number(bound) }, offset * 1000), text.stdout);
    },
  });
}

test({
  name: "ping tells what stamps of a second and no stamps leave open",
  needs: ["faketime"],
  fn: async () => {
    await using seconds = await ServerProcess.start(["--stamp", "ctime"], faketime(90));
    const coarse = await pingJson([`127.0.0.1:${seconds.port}`, "-c", "5", "-i", "0"]);
    const [server] = coarse.end.servers;
    assert(contains(server!.offset!, 90), JSON.stringify(server));
    assertEquals([server!.up, server!.down, server!.carries], [null, null, null]);
    assertStringIncludes(server!.note!, "direction of the delay cannot be told");
    await using none = await ServerProcess.start(["--stamp", "none"], faketime(90));
    const { stdout } = await tsecho(["ping", `127.0.0.1:${none.port}`, "-c", "2", "-i", "0"]);
    assertStringIncludes(
      stdout,
      "the replies have no stamp: neither clock offset nor direction can be told\n",
    );
    assertNotMatch(stdout, /clock offset [+-]|upstream delay/);
  },
});

test({
  name: "ping finds the delays of each direction that a relay adds, and the offset in spite of them",
  needs: ["faketime"],
  fn: async () => {
    await using server = await ServerProcess.start([], faketime(90));
    await using relay = new DelayingRelay(server.port, {
      up: () => 2 + Math.random() * 6,
      down: () => 5 + Math.random() * 60,
    });
    const lines = 40;
    // One line at a time, so that the relay keeps no line back because of another.
    const args = [`127.0.0.1:${relay.port}`, "-c", String(lines), "-i", "0"];
    let { end, replies } = await pingJson(args);
    // On a busy machine a clock may seem unsteady, by chance.
    for (let tries = 1; tries < 3 && end.servers[0]!.withdrawn !== null; tries++) {
      ({ end, replies } = await pingJson(args));
    }
    const [found] = end.servers;
    assert(contains(found!.offset!, 90), JSON.stringify(found));
    // What the relay did not do itself is what a figure may be off by.
    const unexplained = Math.max(...replies.map(({ seq, rtt }) => {
      const { up, down } = relay.kept.get(seq)!;
      return rtt - up - down;
    }));
    for (const direction of ["up", "down"] as const) {
      const kept = [...relay.kept.values()].map((it) => it[direction]).sort((a, b) => a - b);
      const above = (rank: number) => kept[rank]! - kept[0]!;
      for (
        const [truth, told] of [
          [above(lines / 2 - 1), found![direction]!.p50!],
          [above(lines * 0.9 - 1), found![direction]!.p90!],
          [above(lines - 1), found![direction]!.max],
        ]
      ) {
        assert(
          Math.abs(told! - truth!) <= unexplained + 0.001 * truth! + 1e-5,
          `${direction}: ${truth} ${told} ${unexplained}`,
        );
      }
    }
    // Whether 40 lines prove it is chance, which tests/direction_truth_test.ts leaves out.
    if (unexplained < 0.005) assertEquals(found!.leans, "down");
    assert(found!.carries !== "up");
  },
});

test({
  name: "ping keeps the servers behind a balancer apart by their tags",
  needs: ["faketime"],
  fn: async () => {
    await using one = await ServerPeer.start(["--tag", "web-1"]);
    await using two = await ServerProcess.start(["--tag", "web-2"], faketime(90));
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const balancing = (async () => {
      for (let i = 0; i < 10; i++) {
        const client = await listener.accept();
        const server = await (i % 2 === 0 ? one : two).connect();
        await Promise.all([client.readable.pipeTo(server.writable), server.readable.pipeTo(client.writable)])
          .catch(() => {});
      }
    })();
    const { end } = await pingJson([`127.0.0.1:${listener.addr.port}`, "-c", "10", "-i", "0", "--reconnect"]);
    listener.close();
    await within(balancing, "the balancer to end");
    assertEquals(end.servers.map(({ tag, received }) => [tag, received]), [["web-1", 5], ["web-2", 5]]);
    assert(
      contains(end.servers[0]!.offset!, 0) && contains(end.servers[1]!.offset!, 90),
      JSON.stringify(end.servers),
    );
  },
});

test("ping --clocks-synced reports one-way delays with what they may be off by", async () => {
  await using server = await ServerPeer.start();
  const { end } = await pingJson([`127.0.0.1:${server.port}`, "-c", "5", "-i", "0", "--clocks-synced"]);
  const { up, down, bound } = end.servers[0]!.one_way!;
  assertEquals([up.count, down.count], [5, 5]);
  assert(up.min + down.min <= end.rtt!.max + 2 * bound, JSON.stringify(end.servers));
  const { stdout } = await tsecho(["ping", `127.0.0.1:${server.port}`, "-c", "2", "-i", "0"]);
  assertNotMatch(stdout, /one-way/);
});

test("ping says during how many lines its own machine was busy, as when it is stopped, and claims nothing of them", async () => {
  await using server = await ServerPeer.start();
  const answered = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  let replies = 0;
  const down = async () => {
    if (++replies === 2) {
      answered.resolve();
      await stopped.promise;
    }
    return 300;
  };
  await using relay = new DelayingRelay(server.port, { up: () => 0, down });
  await using folder = await Folder.make();
  const file = folder.file("run.json");
  const args = ["ping", `127.0.0.1:${relay.port}`, "-i", "0", "-c", "4", "--json", file];
  await using ping = new Running([...TSECHO, ...args]);
  await within(answered.promise, "the second line to be answered");
  ping.kill("SIGSTOP");
  stopped.resolve();
  await new Promise((resolve) => setTimeout(resolve, 1000)); // longer than its reply takes
  ping.kill("SIGCONT");
  assertEquals(await ping.code(), 0);
  assertMatch(
    ping.stdout.text,
    /^this machine was too busy to time (?:1 line(?:; .* without it)?|\d lines(?:; .* without them)?)$/m,
  );
  const run = JSON.parse(await Deno.readTextFile(file));
  const [held] = run.replies.filter((it: { busy?: number }) => (it.busy ?? 0) > 0.5);
  assertEquals([held?.seq, run.end.servers[0].carries], [2, null]);
});
