/** The command line of compare: its options, their bad values, and what contradicts each other. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../cli/parser.ts";
import { compare } from "../commands/compare.ts";
import { test } from "./harness.ts";

const words = (argv: string) => argv.split(" ").filter((arg) => arg !== "");

function optionsOf(argv: string) {
  const request = compare.read(words(argv));
  assert("options" in request);
  return request.options;
}

test("compare takes a run on each side, or several", () => {
  assertEquals(optionsOf("a.json b.json"), {
    before: ["a.json"],
    after: ["b.json"],
    anyway: false,
    thresholds: [],
    lenient: false,
  });
  assertEquals(
    optionsOf(
      "--before a,b --after c,d,e --anyway --fail-if p99>+10% --fail-if rate<-5.5% --lenient --json -",
    ),
    {
      before: ["a", "b"],
      after: ["c", "d", "e"],
      anyway: true,
      thresholds: [
        { text: "p99>+10%", metric: "p99", operator: ">", limit: 0.1 },
        { text: "rate<-5.5%", metric: "rate", operator: "<", limit: -0.055 },
      ],
      lenient: true,
      json: "-",
    },
  );
  assertEquals(optionsOf("a b --fail-if p99.9>=+0% --fail-if loss>+100%").thresholds.map((it) => it.metric), [
    "p99_9",
    "loss",
  ]);
});

test("compare takes one file that has the runs of both sides", () => {
  const { before, after } = optionsOf("ab.json");
  assertEquals([before, after], [["ab.json"], []]);
  assertEquals(optionsOf("-").before, ["-"]);
  assertEquals(optionsOf("-- -a b").before, ["./-a"]);
});

test("compare says what is wrong with its command line", () => {
  const table: [argv: string, message: string][] = [
    ["", 'Cannot run "compare": expected two runs, BEFORE and AFTER, or --before and --after'],
    ["- -", 'Cannot use argument "-": stdin has one run'],
    ["a a", 'Cannot use argument "a": BEFORE names it too'],
    ["a b c", 'Cannot use argument "c": expected two runs'],
    ["--before a", 'Cannot use option "--before": it needs --after'],
    ["--after a", 'Cannot use option "--after": it needs --before'],
    ["--before a --after b c", 'Cannot use argument "c": with --before and --after all runs are named there'],
    ["--before a,b --after c,b", 'Cannot use --after "b": --before names it too'],
    ["--before a,a --after b", 'Cannot use --before "a,a": "a" is named twice'],
    ["--before a, --after b", 'Cannot use --before "a,": expected a file'],
    [`--before ${Array.from({ length: 101 }, (_, i) => i)} --after b`, "expected at most 100 files"],
    ["--before -a --after b", 'Cannot use --before "-a": it looks like an option; for a file, ./-a'],
    ["--json --html a b", 'Cannot use --json "--html": it looks like an option; for a file, ./--html'],
    ["a b --lenient", 'Cannot use option "--lenient": it needs --fail-if'],
    ["a b --fail-if p99>10%", "expected a change with its sign, such as p99>+10%"],
    ["a b --fail-if p99>+10ms", "expected a change with its sign, such as p99>+10%"],
    ["a b --fail-if p99", "expected a metric, >, >=, < or <=, and a change with its sign, such as p99>+10%"],
    ["a b --fail-if p98>+10%", 'there is no metric "p98", expected p50, p90, p99, p99.9, rate, loss'],
    ["a b --fail-if p99_9>+10%", 'there is no metric "p99_9"'],
    ["a b --fail-if rate<-101%", "nothing can fall by more than 100%"],
  ];
  for (const [argv, message] of table) {
    assertStringIncludes(assertThrows(() => compare.read(words(argv)), UsageError).message, message, argv);
  }
  assertThrows(() => compare.read(["", "b"]), UsageError, 'Cannot use argument "": expected a file');
});
