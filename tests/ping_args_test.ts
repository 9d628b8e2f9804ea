/** The command line of ping: its defaults, its options, and what is wrong with them. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../cli/parser.ts";
import { ping } from "../commands/ping.ts";
import { test } from "./harness.ts";

function pingOptions(argv: string) {
  const request = ping.read(argv.split(" ").filter((arg) => arg !== ""));
  assert("options" in request && "run" in request.options);
  return request.options.run;
}

test("ping's defaults are those of the help text", () => {
  assertEquals(pingOptions(""), {
    endpoint: { transport: "tcp", hostname: "localhost", port: 21567 },
    connectTimeout: 10_000,
    insecure: false,
    udpRate: 500,
    interval: 1000,
    size: 56,
    timeout: 5000,
    deadline: 0,
    quiet: false,
    timestamps: false,
    reconnect: false,
    clocksSynced: false,
    live: true,
    jsonStream: false,
    thresholds: [],
    lenient: false,
  });
});

test("each option of ping is read, its times as ping(8) has them", () => {
  const options = pingOptions(
    "udp://web:7 -c 100 -i 0 -s 1k -W 300ms -w 2m -q -D -6 --udp-rate 0 --reconnect --clocks-synced --no-tty " +
      "--json a --csv b --html c --fail-if p99>5ms --fail-if loss>1% --lenient",
  );
  assertEquals(options, {
    endpoint: { transport: "udp", hostname: "web", port: 7 },
    family: 6,
    connectTimeout: 10_000,
    insecure: false,
    udpRate: 0,
    count: 100,
    interval: 0,
    size: 1024,
    timeout: 300,
    deadline: 120_000,
    quiet: true,
    timestamps: true,
    reconnect: true,
    clocksSynced: true,
    live: false,
    json: "a",
    csv: "b",
    html: "c",
    jsonStream: false,
    thresholds: [
      {
        text: "p99>5ms",
        metric: { of: "duration", name: "rtt", statistic: 99 },
        operator: ">",
        limit: 0.005,
      },
      { text: "loss>1%", metric: { of: "loss" }, operator: ">", limit: 0.01 },
    ],
    lenient: true,
  });
  assertEquals(pingOptions("-i 0 -W 2.5").timeout, 2500);
  assertEquals(pingOptions("-i 0.2 -D --json ./a").interval, 200);
  assertEquals(
    pingOptions("--fail-if offset<-5ms --fail-if loss>=100% --fail-if drift<=0").thresholds.length,
    3,
  );
  const { count, interval, timeout, deadline } = pingOptions("-c5 -i.2 -W=3 -w2s -4");
  assertEquals([count, interval, timeout, deadline], [5, 200, 3000, 2000]);
  const bundled = pingOptions("-qDc3 -4qi.2 -p 7");
  assertEquals([bundled.quiet, bundled.timestamps, bundled.count, bundled.interval], [true, true, 3, 200]);
  assertEquals([bundled.endpoint, bundled.family], [{ transport: "tcp", hostname: "localhost", port: 7 }, 4]);
  assertEquals(pingOptions("-c 1e3").count, 1000);
  for (const file of ["./web", "run.json", "/tmp/run", "./-q", "-"]) {
    assertEquals(pingOptions(`--json ${file}`).json, file);
  }
  assertEquals(pingOptions("web --json web").json, "web");
  assertEquals(pingOptions("--host web --json web").json, "web");
  assertEquals(pingOptions("--json /dev/stdout --csv /dev/stderr").json, "-");
  assertEquals(ping.read(["--from", "a", "--json", "-"]), {
    options: { replay: { from: "a", json: "-", clocksSynced: false, thresholds: [], lenient: false } },
  });
});

test("what is wrong with ping's options is said", () => {
  for (
    const [argv, message] of [
      [
        "-c 0",
        'Cannot use --count "0": expected a whole number such as 5000 or 1e6, from 1 to 1,000,000,000',
      ],
      [
        "-i -1",
        'Cannot use --interval "-1": expected a time such as 0.2, 200ms or 10s, from 1ms to 500h, or 0',
      ],
      ["-i 0.0001", 'Cannot use --interval "0.0001": expected a time'],
      ["-W 0", 'Cannot use --timeout "0": expected a time such as 0.2, 200ms or 10s, from 1ms to 500h'],
      ["-s 19", 'Cannot use --size "19": expected a size such as 1400, 4k or 4KiB, from 20 to 65,000'],
      ["--fail-if p99", 'Cannot use --fail-if "p99": expected a metric'],
      ["--json - --csv -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["--json-stream --json -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["-cx", 'Cannot use --count "x": expected a whole number such as 5000 or 1e6, from 1 to 1,000,000,000'],
      ["-c", 'Cannot use option "-c": it needs a value, N'],
      ["-c=", 'Cannot use --count "": expected a whole number such as 5000 or 1e6, from 1 to 1,000,000,000'],
      ["-q5", 'Cannot use option "-q5": there is no such option'],
      ["--json web", 'Cannot use --json "web": is web the endpoint? for a file, ./web'],
      ["--csv web -c 3", 'Cannot use --csv "web": is web the endpoint? for a file, ./web'],
      ["--json /dev/stdout --csv -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["--json /dev/stderr --csv /dev/stderr", 'Cannot write to "/dev/stderr": more than one output'],
      ["--html web", 'Cannot use --html "web": is web the endpoint? for a file, ./web'],
      ["--json - --html -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["--json-stream --html -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["--html=", 'Cannot use --html "": expected a file, or - for stdout'],
      ["--from a -c5", 'Cannot use option "--count": with --from there is no new run'],
      ["--from a --no-tty", 'Cannot use option "--no-tty": with --from there is no new run'],
      ["--from a --json-stream", 'Cannot use option "--json-stream": with --from there is no new run'],
      ["--from a --json - --csv -", 'Cannot write to "-": more than one output is to go to stdout'],
      ["--from a web", 'Cannot use endpoint "web": with --from there is no new run'],
      ["udp://a --udp-rate 5", 'Cannot use option "--udp-rate": the interval sets the rate: it needs -i 0'],
      ["udp://a --udp-rate 5 -i 1", '"--udp-rate": the interval sets the rate: it needs -i 0'],
      ["-D --json -", 'Cannot use option "--timestamps": it is for text, and stdout is to get data'],
      ["-D --csv -", '"--timestamps": it is for text, and stdout is to get data'],
      ["-D --html -", '"--timestamps": it is for text, and stdout is to get data'],
      ["-D --json-stream", '"--timestamps": it is for text, and stdout is to get data'],
      [
        "--fail-if loss>101%",
        'Cannot use --fail-if "loss>101%": it can never hold: loss is never above 100%',
      ],
      ["--fail-if p99<0ms", '"p99<0ms": it can never hold: p99 is never below 0'],
      ["--fail-if abs(offset)<0", '"abs(offset)<0": it can never hold: abs(offset) is never below 0'],
      ["--from a --fail-if lost<=-1", '"lost<=-1": it can never hold: lost is never below 0'],
      ["--udp-rate 5", 'Cannot use option "--udp-rate": it is for udp endpoints, and there is none'],
      ["a b", 'Cannot use argument "b": ping takes one endpoint and has "a" already'],
      ["--json -q -c 2 web", 'Cannot use --json "-q": it looks like an option; for a file, ./-q'],
      ["-c 2 --html -i .1 web", 'Cannot use --html "-i": it looks like an option; for a file, ./-i'],
      ["--from --csv", 'Cannot use --from "--csv": it looks like an option; for a file, ./--csv'],
      ["tls://web --ca -k", 'Cannot use --ca "-k": it looks like an option; for a file, ./-k'],
      ["-i 100 ms web", 'Cannot use argument "ms": is it a unit? write it behind its number, such as 100ms'],
      ["-n 2", 'Cannot use option "-n": there is no such option; did you mean -c, --count?'],
      ["-t3", 'Cannot use option "-t3": there is no such option; did you mean -w, --deadline?'],
      ["--json=", 'Cannot use --json "": expected a file, or - for stdout'],
      ["--from=", 'Cannot use --from "": expected a file, or - for stdin'],
    ]
  ) {
    assertThrows(() => pingOptions(argv!), UsageError, message!);
  }
});
