/** The checks of the layout and of lengths find each breach, and nothing else. */
import { assert, assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { faultsOf } from "./check_imports.ts";
import { test } from "./harness.ts";
import lengths from "./lint_lengths.ts";

const faultsIn = (files: Record<string, string>) => faultsOf(new Map(Object.entries(files)));

test("imports downward, of a face's own parts, and late ones of main.ts are right", () => {
  const right = {
    "main.ts": 'const { ping } = await import("./commands/ping.ts");\nimport { fail } from "./failure.ts";',
    "commands/ping.ts": 'import { ping } from "../ping.ts";\nimport { parse } from "../cli/args.ts";',
    "cli/args.ts": "export function parse() { console.log(Deno.stdout); }",
    "ping.ts": 'import type { Plan } from "./probe/run.ts";',
    "probe/run.ts":
      'import { now } from "../time/clock.ts"; // console.log() and Deno.exit() would be faults',
    "time/clock.ts": 'export * from "../failure.ts";',
    "failure.ts": "",
    "server.ts": 'import { Connection } from "./server/connection.ts";',
    "server/connection.ts": 'import { Line } from "../protocol.ts";',
    "protocol.ts":
      'export { Line } from "./protocol/line.ts";\nif (done && --left < 0) fail("--"); // not "--ca"',
    "protocol/line.ts": "",
    "tests/line_test.ts": 'import { Line } from "../protocol/line.ts";\nDeno.exit(console.log());',
  };
  assertEquals(faultsIn(right), []);
});

test("each breach of the layout is named", () => {
  const table: [Record<string, string>, string[]][] = [
    [{ "net/tls.ts": 'import { log } from "../cli/log.ts";', "cli/log.ts": "" }, [
      "net/tls.ts imports cli/log.ts, which is above it",
    ]],
    [{ "net/tls.ts": 'import type { Log } from "../cli/log.ts";', "cli/log.ts": "" }, [
      "net/tls.ts imports cli/log.ts, which is above it",
    ]],
    [{ "net/tls.ts": 'type Log = import("../cli/log.ts").Log;', "cli/log.ts": "" }, [
      "net/tls.ts imports cli/log.ts, which is above it",
    ]],
    [{ "net/tls.ts": 'export {\n  type Log,\n} from "../cli/log.ts";', "cli/log.ts": "" }, [
      "net/tls.ts imports cli/log.ts, which is above it",
    ]],
    [{ "server/drain.ts": 'import "../server.ts";' }, [
      "server/drain.ts imports server.ts, which is above it",
    ]],
    [{ "server.ts": 'import { ping } from "./ping.ts";' }, [
      "server.ts imports ping.ts, which it is not to know",
    ]],
    [{ "stats/events.ts": 'import { isIpv4 } from "../net/endpoint.ts";' }, [
      "stats/events.ts imports net/endpoint.ts, which it is not to know",
    ]],
    [{ "commands/server.ts": 'import { Drain } from "../server/drain.ts";' }, [
      "commands/server.ts imports server/drain.ts, which is private to its face",
    ]],
    [{ "main.ts": 'import { run } from "./commands/ping.ts";', "commands/ping.ts": 'import "../ping.ts";' }, [
      "main.ts loads ping.ts whatever the command is",
    ]],
    [{ "net/a.ts": 'import "./b.ts";', "net/b.ts": 'import type { A } from "./a.ts";' }, [
      "cycle: net/a.ts → net/b.ts → net/a.ts",
    ]],
    [{ "scripts/x.ts": "" }, ["scripts/x.ts is in no room"]],
    [{ "cli/log.ts": "Deno.exit(1);" }, ["cli/log.ts uses Deno.exit"]],
    [{ "net/tls.ts": 'console.log("x");' }, ["net/tls.ts uses console."]],
    [{ "net/tls.ts": "throw new Error(`use --ca ${file}`);" }, ["net/tls.ts uses --ca"]],
    [{ "server.ts": 'return "--tag";' }, ["server.ts uses --tag"]],
    [{ "server.ts": "await Deno.stderr.write(x);" }, ["server.ts uses Deno.stderr"]],
  ];
  for (const [files, faults] of table) assertEquals(faultsIn(files), faults);
});

/** A function of so many lines, its first and last included. */
function functionOf(lines: number, name = "f"): string {
  return `function ${name}() {\n${"  work();\n".repeat(lines - 2)}}\n`;
}

test("what is too long is named, unless its first comment says why", () => {
  const root = new URL("..", import.meta.url).pathname;
  const found = (file: string, source: string) =>
    Deno.lint.runPlugin(lengths, root + file, source).map(({ message }) => message);
  const method = (lines: number) => functionOf(lines).replace("function ", "");
  const classOf = (lines: number) =>
    `class C {\n${method(50).repeat(Math.floor((lines - 2) / 50))}${"// x\n".repeat((lines - 2) % 50)}}\n`;
  const BECAUSE = "/** Long because it is a table. */\n";
  const table: [string, string, string[]][] = [
    ["net/x.ts", functionOf(60), []],
    ["net/x.ts", functionOf(61), ["a function of 61 lines, at most 60 are allowed"]],
    ["net/x.ts", BECAUSE + functionOf(61), []],
    ["net/x.ts", "/** Says something else. */\n" + functionOf(61), [
      "a function of 61 lines, at most 60 are allowed",
    ]],
    ["net/x.ts", `const f = ${functionOf(61, "")}`, ["a function of 61 lines, at most 60 are allowed"]],
    ["net/x.ts", `class C {\n${method(61)}}\n`, ["a function of 61 lines, at most 60 are allowed"]],
    ["net/x.ts", `${BECAUSE}export const f = ${functionOf(61, "")}`, []],
    ["net/x.ts", classOf(200), []],
    ["net/x.ts", classOf(201), ["a class of 201 lines, at most 200 are allowed"]],
    ["net/x.ts", BECAUSE + classOf(201) + "work();\n", []],
    ["net/x.ts", "work();\n".repeat(400), []],
    ["net/x.ts", "work();\n".repeat(401), ["a file of 401 lines, at most 400 are allowed"]],
    ["net/x.ts", BECAUSE + "work();\n".repeat(401), []],
    ["tests/x_test.ts", functionOf(500), []],
    ["bench/x.ts", functionOf(501), ["a file of 501 lines, at most 500 are allowed"]],
  ];
  for (const [file, source, messages] of table) {
    assertEquals(found(file, source), messages, source.slice(0, 60));
  }
});

test("tsecho is run, installed and compiled with the same permissions and flags", () => {
  const options = (task: keyof typeof config.tasks) =>
    config.tasks[task].command.split(" ").filter((it) => /^--(?:no-prompt|allow-|v8-flags=)/.test(it));
  assert(options("tsecho").some((it) => it.startsWith("--v8-flags=")));
  assertEquals(options("install"), options("tsecho"));
  assertEquals(options("compile"), options("tsecho"));
});

test(
  "the binary is compiled with the locked packages, but for those of tests",
  { needs: ["--allow-read"] },
  async () => {
    assert(config.tasks.compile.command.includes(" --lock=compile.lock "));
    const lockOf = async (name: string) =>
      JSON.parse(await Deno.readTextFile(new URL(`../${name}`, import.meta.url))).npm as Record<
        string,
        unknown
      >;
    const all = Object.entries(await lockOf("deno.lock"));
    const isForTests = ([name]: [string, unknown]) => /^(?:fast-check|playwright-core|pure-rand)@/.test(name);
    assertEquals(Object.entries(await lockOf("compile.lock")), all.filter((it) => !isForTests(it)));
  },
);
