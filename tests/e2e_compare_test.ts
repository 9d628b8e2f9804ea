/** The command line of compare: what it prints and writes, how it ends, and its exit codes. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LoadDocument } from "../report/load_json.ts";
import { e2e as test } from "./harness.ts";
import { exists, Folder, ServerPeer, TESTDATA, tsecho } from "./helpers.ts";
import { answer, runOf, START, written } from "./load_helpers.ts";

const made = new Map<string, string>();

/** Writes the run of a load of so many seconds; `level` is of its latencies. */
async function save(
  file: string,
  level: number,
  seconds = 60,
  start: Partial<typeof START> = {},
): Promise<string> {
  const key = JSON.stringify([level, seconds, start]);
  const text = made.get(key) ?? runText(level, seconds, start);
  made.set(key, text);
  await Deno.writeTextFile(file, text);
  return file;
}

function runText(level: number, seconds: number, start: Partial<typeof START>): string {
  const run = runOf(seconds, (interval, place) => {
    const micros = 200 * level * (1 + 0.01 * (Math.floor(place / 12) * 7 % 5));
    answer(interval, 980, micros);
    answer(interval, 20, 4 * micros);
  });
  return written((sink) => new LoadDocument(sink), run, { ...START, ...start });
}

test("compare prints both values, the ratio with its interval and a word, and exits with 0", async () => {
  await using folder = await Folder.make();
  const [before, after] = [await save(folder.file("a"), 1), await save(folder.file("b"), 1.3)];
  const { code, stdout, stderr } = await tsecho(["compare", before, after]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(
    stdout,
    /^COMPARE load: open loop, 1000 lines\/s, .*\nbefore: .*\/a, tcp:\/\/web:21567, 60 s\nafter: /,
  );
  assertMatch(stdout, /^p99 +0\.816 ms +1\.06\d ms +1\.30\d +1\.27\d to 1\.33\d +worse$/m);
  assertMatch(stdout, /^received +1000\/s +1000\/s +1\.000 +- +too short to tell$/m);
  assertMatch(
    stdout,
    /^two identical runs can differ by more than this; 5 runs of each would settle it, by load --against --/m,
  );
});

test("compare --fail-if exits with 3 where it holds or cannot be told, and --lenient lets the latter pass", async () => {
  await using folder = await Folder.make();
  const [before, after] = [await save(folder.file("a"), 1), await save(folder.file("b"), 1.3)];
  const table: [args: string[], code: number, stderr: RegExp][] = [
    [
      ["--fail-if", "p99>+10%"],
      3,
      /^tsecho: Threshold broken: p99>\+10%: it is from \+27\.\d% to \+33(?:\.\d)?%\n$/,
    ],
    [["--fail-if", "p99>+40%"], 0, /^$/],
    [
      ["--fail-if", "p99>+30%"],
      3,
      /^tsecho: Cannot tell whether "p99>\+30%" holds: it is from \+27\.\d% to \+33(?:\.\d)?%; longer or more runs tell more\n$/,
    ],
    [["--fail-if", "p99>+30%", "--lenient"], 0, /^tsecho: Cannot tell whether/],
    [
      ["--fail-if", "p99>+30%", "--fail-if", "p50>+10%", "--lenient"],
      3,
      /Cannot tell .*\n.*broken: p50>\+10%/,
    ],
    [
      ["--fail-if", "rate<-10%"],
      3,
      /^tsecho: Cannot tell whether "rate<-10%" holds: its fifths do not differ\n$/,
    ],
  ];
  for (const [args, expected, text] of table) {
    const { code, stdout, stderr } = await tsecho(["compare", ...args, before, after]);
    assertEquals(code, expected, args.join(" "));
    assertMatch(stderr, text);
    assertStringIncludes(stdout, "COMPARE");
  }
});

test(
  "compare refuses runs of different things, and --anyway says what differs",
  { level: "slow" },
  async () => {
    await using folder = await Folder.make();
    const before = await save(folder.file("a"), 1);
    const after = await save(folder.file("b"), 1, 60, { rate: 2000, connections: 7 });
    const differs = "2000 lines/s instead of 1000, 7 connections instead of 50";
    const refused = await tsecho(["compare", before, after]);
    assertEquals([refused.code, refused.stdout, refused.stderr], [
      1,
      "",
      `tsecho: Cannot compare "${after}": it did not measure the same thing as "${before}": ${differs}; --anyway compares ` +
      "them anyway\n",
    ]);
    const { code, stdout } = await tsecho(["compare", "--anyway", before, after]);
    assertEquals(code, 0);
    assertStringIncludes(stdout, `\ndid not measure the same thing: ${after}: ${differs}\n`);
  },
);

test("compare writes JSON to a file beside the text, or to stdout alone, and never over a run", {
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  const [before, after, file] = [
    await save(folder.file("a"), 1),
    await save(folder.file("b"), 1.3),
    folder.file("c"),
  ];
  const both = await tsecho(["compare", before, after, "--json", file, "--fail-if", "p99>+10%"]);
  assertMatch(both.stdout, /^COMPARE/);
  const alone = await tsecho(["compare", before, after, "--json", "-", "--fail-if", "p99>+10%"]);
  assertEquals(alone.stdout, await Deno.readTextFile(file));
  const { type, metrics, before: [run], thresholds } = JSON.parse(alone.stdout);
  assertEquals([type, run.file, metrics.p99.verdict, thresholds[0].broken], [
    "compare",
    before,
    "worse",
    true,
  ]);
  const saved = await Deno.readTextFile(before);
  const over = await tsecho(["compare", before, after, "--json", before]);
  assertEquals(over.code, 2);
  assertStringIncludes(over.stderr, "it is the file that BEFORE names");
  assertEquals(await Deno.readTextFile(before), saved);
  const full = await tsecho(["compare", before, after, "--json", folder.path]);
  assertEquals([full.code, full.stderr], [1, `tsecho: Cannot write "${folder.path}": it is a directory\n`]);
  assertMatch(full.stdout, /^COMPARE/);
});

test("compare writes no file where it cannot write another, and its text nevertheless", async () => {
  await using folder = await Folder.make();
  const [before, after] = [await save(folder.file("a"), 1, 3), await save(folder.file("b"), 1.3, 3)];
  const [old, fresh, into] = [folder.file("old"), folder.file("new"), folder.file("none/run")];
  await Deno.writeTextFile(old, "old");
  const unwritable = `tsecho: Cannot write "${into}": there is no such file or directory\n`;
  const table: [args: string[], code: number, stderr: string, stdout: RegExp][] = [
    [["--json", old, "--html", into], 1, unwritable, /^COMPARE/],
    [["--json", fresh, "--html", into], 1, unwritable, /^COMPARE/],
    [["--json", into, "--html", old], 1, unwritable, /^COMPARE/],
    [["--json", "-", "--html", into], 1, unwritable, /^\{"type":"compare"/],
    [["--json", old, "--html", old], 2, `Cannot use --html "${old}": it is the file that --json names`, /^$/],
  ];
  for (const [args, code, stderr, stdout] of table) {
    const compared = await tsecho(["compare", before, after, ...args]);
    assertEquals(compared.code, code, compared.stderr);
    assertStringIncludes(compared.stderr, stderr);
    assertMatch(compared.stdout, stdout);
    assertEquals([await Deno.readTextFile(old), await exists(fresh)], ["old", false], args.join(" "));
  }
});

test("compare takes five runs a side", async () => {
  await using folder = await Folder.make();
  const side = async (name: string, factor: number) =>
    (await Promise.all([0, 1, 2, 3, 4].map((it) => save(folder.file(name + it), factor * (1 + it / 50), 3))))
      .join();
  const [before, after] = [await side("a", 1), await side("b", 1.5)];
  const { code, stdout, stderr } = await tsecho(["compare", "--before", before, "--after", after]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^before: 5 runs of 3 s, tcp:\/\/web:21567$/m);
  assertMatch(stdout, /^p50 +0\.208 ms +0\.312 ms +1\.5\d\d +1\.\d{3} to 1\.\d{3} +worse$/m);
});

test("compare reads a run from stdin", async () => {
  await using folder = await Folder.make();
  const [before, after] = [await save(folder.file("a"), 1, 3), await save(folder.file("b"), 1.3, 3)];
  const { code, stdout, stderr } = await tsecho(["compare", before, "-"], await Deno.readTextFile(after));
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^after: -, tcp:\/\/web:21567, 3 s$/m);
});

test("compare says what is wrong with a file", { level: "slow" }, async () => {
  await using folder = await Folder.make();
  const good = await save(folder.file("a"), 1, 3);
  const bad = folder.file("b");
  await Deno.writeTextFile(bad, (await Deno.readTextFile(good)).slice(0, -200));
  const table: [file: string, reason: string][] = [
    [bad, "it has no end: the run was killed"],
    [folder.file("none"), "there is no such file or directory"],
    [folder.path, "it is a directory"],
    [`${TESTDATA}certificates/make.sh`, "line 1 is not a JSON object"],
  ];
  for (const [file, reason] of table) {
    const { code, stdout, stderr } = await tsecho(["compare", good, file]);
    assertEquals([code, stdout, stderr], [1, "", `tsecho: Cannot read the run "${file}": ${reason}\n`]);
  }
});

test(
  "compare reads what load and ping have saved, as documents and as streams",
  { level: "slow" },
  async () => {
    await using server = await ServerPeer.start();
    await using folder = await Folder.make();
    const address = `127.0.0.1:${server.port}`;
    for (
      const command of [["load", "-R", "200", "-c", "2", "-t", "1", "--warmup", "0.1"], [
        "ping",
        "-c5",
        "-i0.01",
      ]]
    ) {
      const [document, stream] = [folder.file("d"), folder.file("s")];
      await tsecho([...command, "--json", document, address]);
      const { stdout: lines } = await tsecho([...command, "--json-stream", address]);
      await Deno.writeTextFile(stream, lines);
      const { code, stdout, stderr } = await tsecho(["compare", document, stream]);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, new RegExp(`^COMPARE ${command[0]}: `));
      assertMatch(stdout, /^p50 +\d+\.\d{3} ms +\d+\.\d{3} ms +[\d.]+ +- +too short to tell$/m);
      assertMatch(stdout, /^too short to tell: a run of 30 s or more is needed$|^too short to tell: .*30 s/m);
      assert(!stdout.includes("NaN") && !stdout.includes("undefined"), stdout);
    }
    const mixed = await tsecho(["compare", folder.file("d"), await save(folder.file("l"), 1, 3)]);
    assertEquals(mixed.code, 1);
    assertStringIncludes(mixed.stderr, "command load instead of ping");
  },
);
