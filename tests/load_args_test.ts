/** The command line of load: its options, their bad values, and what contradicts each other. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../cli/parser.ts";
import { load } from "../commands/load.ts";
import { test } from "./harness.ts";

function loadOptions(argv: string) {
  const request = load.read(argv.split(" ").filter((arg) => arg !== ""));
  assert("options" in request && "settings" in request.options);
  return request.options;
}

test("load's defaults are those of the help text", () => {
  assertEquals(loadOptions(""), {
    endpoint: { transport: "tcp", hostname: "localhost", port: 21567 },
    connectTimeout: 10_000,
    insecure: false,
    settings: {
      connections: 50,
      depth: 1,
      think: 0,
      duration: 10_000,
      warmup: 1000,
      timeout: 5000,
      threads: 1,
      reconnect: false,
      size: 56,
    },
    jsonStream: false,
    quiet: false,
    failIf: [],
    abortIf: [],
    lenient: false,
  });
});

test("each option of an open loop is read", () => {
  const options = loadOptions(
    "tls://web:7 -c 200 -R 2e4 -t 1m --arrivals poisson --seed 7 --max-in-flight 5e3 -n 1e6 --warmup 0 -W 300ms " +
      "-s 1k --threads 2 --reconnect -6 --ca f --json a --csv b --hdr c -q --fail-if p99>5ms --abort-if errors>10 --lenient",
  );
  assertEquals(options.settings, {
    connections: 200,
    rate: 20_000,
    duration: 60_000,
    arrivals: "poisson",
    seed: 7,
    maxInFlight: 5000,
    count: 1_000_000,
    warmup: 0,
    timeout: 300,
    size: 1024,
    threads: 2,
    reconnect: true,
  });
  const { json, csv, hdr, quiet, lenient, caFile, family, failIf, abortIf } = options;
  assertEquals([json, csv, hdr, quiet, lenient, caFile, family], ["a", "b", "c", true, true, "f", 6]);
  assertEquals(failIf, [
    {
      text: "p99>5ms",
      metric: { of: "duration", name: "latency", statistic: 99 },
      operator: ">",
      limit: 0.005,
    },
  ]);
  assertEquals(abortIf, [
    { text: "errors>10", metric: { of: "count", name: "errors" }, operator: ">", limit: 10 },
  ]);
});

test("each option of a closed loop, of stages and of a search is read", () => {
  const { settings, data } = loadOptions("udp://h --depth 32 --think 5ms -n 1000000 --udp-rate 0 --data f");
  assertEquals([settings.depth, settings.think, settings.count, settings.udpRate, data], [
    32,
    5,
    1e6,
    0,
    "f",
  ]);
  assertEquals([settings.duration, settings.size], [undefined, undefined]);
  const stages = loadOptions("--stages 30s:1000,1m:5e3,0s:100,.5:0").settings;
  assertEquals(stages.stages, [
    { duration: 30_000, rate: 1000 },
    { duration: 60_000, rate: 5000 },
    { duration: 0, rate: 100 },
    { duration: 500, rate: 0 },
  ]);
  assertEquals([stages.rate, stages.duration, stages.depth], [undefined, undefined, undefined]);
  const { find, settings: { rate, depth } } = loadOptions("--find p99<5ms --trial 5s -R 500 --json -");
  assertEquals([find?.limit.text, find?.trial, rate, depth], ["p99<5ms", 5000, 500, undefined]);
  assertEquals(loadOptions("--find up.p99<=1ms").find?.trial, 10_000);
});

test("--against adds an endpoint, and then --fail-if is about what changed", () => {
  const { endpoint, against, failIf, lenient, insecure } = loadOptions(
    "tls://a:7 --against b:8 --repeat 3 --fail-if p99>+10% --lenient -k",
  );
  assertEquals([endpoint.transport, failIf, lenient, insecure], ["tls", [], true, true]);
  assertEquals(against, {
    endpoint: { transport: "tcp", hostname: "b", port: 8 },
    repeat: 3,
    changes: [{ text: "p99>+10%", metric: "p99", operator: ">", limit: 0.1 }],
  });
  assertEquals(loadOptions("a --against b").against?.repeat, 8);
  assertEquals(loadOptions("a -p 7 --against b").against?.endpoint, {
    transport: "tcp",
    hostname: "b",
    port: 7,
  });
  // An option is needed by one of both, and does not apply to the other.
  assertEquals(loadOptions("unix:/s --against tls://[::1]:7 -6 --ca f").caFile, "f");
  assertEquals(loadOptions("a --against udp://b --udp-rate 9").settings.udpRate, 9);
  assertEquals(loadOptions("a --against udp://b -R 9").settings.udpRate, undefined);
});

test("--against and its options are refused where they make no sense", () => {
  const table: [argv: string, message: string][] = [
    ["a --repeat 3", 'Cannot use option "--repeat": it needs --against, the endpoint to compare with'],
    ["a --against b --repeat 0", 'Cannot use --repeat "0": expected a whole number from 1 to 100'],
    ["a --against -q", 'Cannot use --against "-q": it looks like an option; expected an endpoint'],
    ["a --against=", 'Cannot use --against "": expected '],
    ["a --against b:x", 'Cannot use --against "b:x": expected '],
    ["a --against b:0", 'Cannot use --against "b:0": expected a port, 1 to 65535'],
    ["a --against b --find p99<5ms", 'Cannot use option "--find": --against is given too; find the rate'],
    ...["--abort-if lost>0", "--csv ./f", "--hdr ./f", "--json-stream"].map((it): [string, string] => [
      `a --against b ${it}`,
      `Cannot use option "${
        it.split(" ")[0]
      }": --against is given too; --against makes several runs: save them`,
    ]),
    [
      "a --against b --fail-if p99>5ms",
      'Cannot use --fail-if "p99>5ms": expected a change with its sign, such as p99>+10%',
    ],
    [
      "a --against b --fail-if lost>0",
      'Cannot use --fail-if "lost>0": there is no metric "lost", expected p50',
    ],
    ["a --fail-if p99>+10%", 'Cannot use --fail-if "p99>+10%": a change needs --against'],
    ["a --against unix:/s --ca f", 'Cannot use option "--ca": it is for tls endpoints, and there is none'],
    ["unix:/r --against unix:/s -4", 'Cannot use option "-4": a Unix socket has no IP version'],
    ["a --against [::1] -4", 'Cannot use option "-4": "::1" is an IPv6 address'],
  ];
  for (const [argv, message] of table) {
    const error = assertThrows(() => loadOptions(argv), UsageError);
    assertEquals(error.message.slice(0, message.length), message, argv);
  }
});

test("a rate that needs room for many lines in flight has it", () => {
  assertEquals(loadOptions("-R 1000").settings.maxInFlight, 100_000);
  assertEquals(loadOptions("-R 5e6").settings.maxInFlight, 500_000);
  assertEquals(loadOptions("--stages 1s:4e6,1s:0").settings.maxInFlight, 400_000);
});

test("what is wrong with load's options is said, and what to do", () => {
  const MANY = "expected a whole number such as 5000 or 1e6, from 1";
  const RATE = "expected a number a second such as 5000, 5k or 0.5, above 0 and up to 10,000,000";
  const table: [argv: string, message: string][] = [
    ["-c 0", `Cannot use --connections "0": ${MANY} to 1,000,000`],
    ["-c 1e7", `Cannot use --connections "1e7": ${MANY}`],
    ["-c 1.5", `Cannot use --connections "1.5": ${MANY}`],
    ["-R 0", `Cannot use --rate "0": ${RATE}`],
    ["-R -5", `Cannot use --rate "-5": ${RATE}`],
    ["-R 1e9", `Cannot use --rate "1e9": ${RATE}`],
    ["-R 20g", `Cannot use --rate "20g": ${RATE}`],
    ["-R 20m", `Cannot use --rate "20m": ${RATE}`],
    ["-R 2,000", `Cannot use --rate "2,000": ${RATE}`],
    ["--stages 30s", 'Cannot use --stages "30s": "30s" is no stage, expected TIME:RATE,TIME:RATE'],
    ["--stages 30s:1,", 'Cannot use --stages "30s:1,": "" is no stage'],
    ["--stages 1x:5", 'Cannot use --stages "1x:5": expected a time such as 0.2'],
    ["--stages 1s:-5", `Cannot use --stages "1s:-5": ${RATE}`],
    ["--stages 0s:5", 'Cannot use --stages "0s:5": expected a stage that takes some time'],
    ["--stages 1s:0", 'Cannot use --stages "1s:0": expected a stage with a rate above 0'],
    ["-R 1 --arrivals even", 'Cannot use --arrivals "even": expected uniform or poisson'],
    ["-R 1 --seed x", 'Cannot use --seed "x": expected a whole number from 0 to 4,294,967,295'],
    ["-R 1 --max-in-flight 0", `Cannot use --max-in-flight "0": ${MANY}`],
    ["--depth 0", `Cannot use --depth "0": ${MANY}`],
    ["--think x", 'Cannot use --think "x": expected a time'],
    ["-n 0", `Cannot use --count "0": ${MANY}`],
    ["-n 1e-3", `Cannot use --count "1e-3": ${MANY}`],
    ["-n 1e400", `Cannot use --count "1e400": ${MANY}`],
    ["-t 0", 'Cannot use --duration "0": expected a time such as 0.2, 200ms or 10s, from 1ms to 500h'],
    ["--warmup -1", 'Cannot use --warmup "-1": expected a time'],
    ["--threads 0", 'Cannot use --threads "0": expected a whole number from 1 to 256'],
    ["-s 0", 'Cannot use --size "0": expected a size such as 1400, 4k or 4KiB, from 1 to 65,000'],
    ["-s 65001", 'Cannot use --size "65001": expected a size'],
    ["--data=", 'Cannot use --data "": expected a file'],
    ["-W 0", 'Cannot use --timeout "0": expected a time'],
    ["--find p99>5ms", 'Cannot use --find "p99>5ms": expected what a rate has to keep: a metric, < or <='],
    ["--find p99", 'Cannot use --find "p99": expected what a rate has to keep: a metric, < or <='],
    ["-d 5s", 'Cannot use option "-d": there is no such option; did you mean -t, --duration?'],
    ["-d5s", 'Cannot use option "-d5s": there is no such option; did you mean -t, --duration?'],
    ["--json -q -t 1 web", 'Cannot use --json "-q": it looks like an option; for a file, ./-q'],
    ["--data -q", 'Cannot use --data "-q": it looks like an option; for a file, ./-q'],
    ["-T 4", 'Cannot use option "-T": there is no such option; did you mean -t?'],
    ["--find p99<5ms --trial 0", 'Cannot use --trial "0": expected a time'],
    [
      "--fail-if offset>1ms",
      'Cannot use --fail-if "offset>1ms": there is no metric "offset", expected min, avg',
    ],
    ["--abort-if lost>1%", 'Cannot use --abort-if "lost>1%": expected a number without a unit'],
    ["--json=", 'Cannot use --json "": expected a file, or - for stdout'],
    ["--csv=", 'Cannot use --csv "": expected a file, or - for stdout'],
    ["--hdr=", 'Cannot use --hdr "": expected a file, or - for stdout'],
    ["--hdr web", 'Cannot use --hdr "web": is web the endpoint? for a file, ./web'],
    ["--json - --hdr -", 'Cannot write to "-": more than one output is to go to stdout'],
    ["--json-stream --csv -", 'Cannot write to "-": more than one output is to go to stdout'],
    ["--csv /dev/stderr --hdr /dev/stderr", 'Cannot write to "/dev/stderr": more than one output'],
    ["--udp-rate 5", 'Cannot use option "--udp-rate": it is for udp endpoints, and there is none'],
    ["a b", 'Cannot use argument "b": load takes one endpoint and has "a" already'],
    ["-r 5", 'Cannot use option "-r": there is no such option; did you mean -R?'],
  ];
  for (const [argv, message] of table) {
    const error = assertThrows(() => loadOptions(argv), UsageError);
    assertEquals(error.message.slice(0, message.length), message);
  }
});

test("conditions that can never hold are refused, and limits that mean nothing to a search", () => {
  const table: [argv: string, message: string][] = [
    ["--find p99<-5ms", 'Cannot use --find "p99<-5ms": it can never hold: p99 is never below 0'],
    ["--find up.p99<0ms", '"up.p99<0ms": it can never hold: up.p99 is never below 0'],
    ["--find p99<=0ms", '"p99<=0ms": it can never hold: a latency of 0 does not occur'],
    ["--find errors<=-1", '"errors<=-1": it can never hold: errors is never below 0'],
    ...["rate<5", "planned<5", "sent<5", "received<=5"].map(
      (it): [string, string] => [`--find ${it}`, `"${it}": --find raises it: expected what has to stay low`],
    ),
    [
      "--find loss<1%",
      '"loss<1%": a trial allows for no lost, dropped, corrupt or failed line: expected loss<=0%',
    ],
    [
      "--find lost<2",
      '"lost<2": a trial allows for no lost, dropped, corrupt or failed line: expected lost<=0',
    ],
    ["--find dropped<=1", '"dropped<=1": a trial allows for no lost, dropped, corrupt or failed line'],
    ["--fail-if loss>101%", 'Cannot use --fail-if "loss>101%": it can never hold: loss is never above 100%'],
    ["--fail-if loss>100%", '"loss>100%": it can never hold: loss is never above 100%'],
    ["--from a --fail-if p99<0", 'Cannot use --fail-if "p99<0": it can never hold: p99 is never below 0'],
    ["--abort-if lost<0", 'Cannot use --abort-if "lost<0": it can never hold: lost is never below 0'],
  ];
  for (const [argv, message] of table) {
    assertStringIncludes(assertThrows(() => load.read(argv.split(" ")), UsageError).message, message, argv);
  }
  for (const it of ["loss<=0%", "lost<1", "unsent<=5", "duplicates<5", "blocked.max<=0ms", "mdev<=0ms"]) {
    assertEquals(loadOptions(`--find ${it}`).find?.limit.text, it);
  }
  for (const it of ["loss>=100%", "loss<=100%", "loss<=0%", "errors<=0", "up.p99<=0ms"]) {
    assertEquals(loadOptions(`--fail-if ${it}`).failIf[0]?.text, it);
  }
});

test("options that contradict each other are refused, and which to leave out is said", () => {
  const table: [argv: string, message: string][] = [
    [
      "--depth 2 -R 5",
      '"--depth": --rate is given too; --depth is for a closed loop, and --rate makes an open one',
    ],
    ["--depth 2 --stages 1s:5", '"--depth": --stages is given too; --depth is for a closed loop'],
    ["--depth 2 --find p99<1s", '"--depth": --find is given too; --depth is for a closed loop'],
    [
      "--depth 2 --reconnect",
      '"--depth": --reconnect is given too; with --reconnect each line has a connection',
    ],
    ["--think 1s -R 5", '"--think": --rate is given too; --think is for a closed loop'],
    ["--stages 1s:5 -R 5", '"--stages": --rate is given too; the stages have the rates'],
    ["--stages 1s:5 -t 5", '"--duration": --stages is given too; the stages have the times: leave out -t'],
    ["-s 9 --data f", '"--size": --data is given too; the lines of --data have their own sizes'],
    ["udp://h -R 5 --udp-rate 5", '"--udp-rate": --rate is given too; --rate sets the rate'],
    ["--find p99<1s --stages 1s:5", '"--stages": --find is given too; --find sets the rates'],
    ["--find p99<1s -n 5", '"--count": --find is given too; --find makes trials of --trial each'],
    ["--find p99<1s -t 5", '"--duration": --find is given too'],
    ...["--fail-if lost>0", "--abort-if lost>0", "--csv ./f", "--hdr ./f", "--json-stream"].map(
      (it): [string, string] => [
        `--find p99<1s ${it}`,
        `"${it.split(" ")[0]}": --find is given too; --find makes several runs`,
      ],
    ),
    ["--arrivals poisson", '"--arrivals": a closed loop has no plan: it needs --rate or --stages'],
    ["-R 5 --seed 1", '"--seed": it needs --arrivals poisson'],
    ["--max-in-flight 5", '"--max-in-flight": a closed loop has --connections times --depth'],
    ["--trial 5s", '"--trial": it needs --find'],
    ["--lenient", '"--lenient": it needs --fail-if'],
  ];
  for (const [argv, message] of table) {
    const error = assertThrows(() => loadOptions(argv), UsageError);
    assertEquals(error.message.slice(0, message.length + 18), `Cannot use option ${message}`);
  }
});

test("numbers that do not fit together are refused", () => {
  const table: [argv: string, message: string][] = [
    [
      "-c 2 --threads 3",
      'Cannot use --threads "3": expected at most 2, the connections: each thread needs one',
    ],
    [
      "-R 20000 --max-in-flight 1999",
      'Cannot use --max-in-flight "1999": expected at least 2,000: 20,000 lines a second are so many in 100ms',
    ],
    ["--stages 1s:100,1s:900 --max-in-flight 89", 'Cannot use --max-in-flight "89": expected at least 90'],
    [
      "-R 5 -t 2 --fail-if p99>5ms",
      'Cannot use --fail-if "p99>5ms": that takes 100 lines or more, and the run has 10',
    ],
    ["-n 99 --fail-if p99>5ms", 'Cannot use --fail-if "p99>5ms": that takes 100 lines or more'],
    ["--stages 2s:10 --fail-if p95>5ms", 'Cannot use --fail-if "p95>5ms": that takes 20 lines or more'],
    [
      "--fail-if response.p50>5ms",
      'Cannot use --fail-if "response.p50>5ms": a closed loop has no response: use',
    ],
    [
      "--abort-if send_lag.max>5ms",
      'Cannot use --abort-if "send_lag.max>5ms": a closed loop has no send_lag',
    ],
  ];
  for (const [argv, message] of table) {
    const error = assertThrows(() => loadOptions(argv), UsageError);
    assertEquals(error.message.slice(0, message.length), message);
  }
  assertEquals(loadOptions("-R 20000 --max-in-flight 2000").settings.maxInFlight, 2000);
  assertEquals(loadOptions("-R 50 -t 2 --fail-if p99>5ms --abort-if p99.9>1s").failIf.length, 1);
});

test("a saved run is told again with the options that have a meaning for it, and no others", () => {
  const request = load.read("--from a.json --json b --html c -q --fail-if up.p99>1ms --lenient".split(" "));
  assert("options" in request && "replay" in request.options);
  const { failIf, ...rest } = request.options.replay;
  assertEquals(rest, { from: "a.json", json: "b", html: "c", quiet: true, lenient: true });
  assertEquals(failIf.map((it) => it.text), ["up.p99>1ms"]);
  for (
    const [argv, message] of [
      ["--from a web", 'Cannot use endpoint "web": with --from there is no new run'],
      ["--from a -R 5", 'Cannot use option "--rate": with --from there is no new run'],
      ["--from a --csv b", 'Cannot use option "--csv": with --from there is no new run'],
      ["--from a --against b", 'Cannot use option "--against": with --from there is no new run'],
      ["--from a --lenient", 'Cannot use option "--lenient": it needs --fail-if'],
      ["--from a --json - --html -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["--from a --fail-if p99>+10%", 'Cannot use --fail-if "p99>+10%": a change needs --against'],
    ]
  ) assertEquals(assertThrows(() => load.read(argv!.split(" ")), UsageError).message, message);
});
