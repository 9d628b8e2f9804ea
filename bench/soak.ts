/**
 * Measures a server's memory under mixed load: does it stay flat?
 *
 *     deno run -A bench/soak.ts [--minutes N] [--bin PATH]
 *
 * Every minute the same mixture runs: churn, bulk, long lines, abrupt resets, and idle connections that are opened and
 * held. Memory and descriptors are sampled once a second; a line of the table is a minute's median, and its peak. Exit 1
 * when the last minute's median exceeds that of minute 5 by more than 10% or 8 MiB, whichever is larger.
 */

import { parseArgs } from "node:util";
import {
  compile,
  type LoadResult,
  main,
  median,
  residentKib,
  runLoad,
  type Server,
  sleep,
  startServer,
  tsecho,
} from "./tools.ts";

/** What runs at the same time; the idle connections are held as long as the others run. */
const MIXTURE = {
  churn: "churn --conns 20",
  bulk: "steady --conns 4 --inflight 128",
  long: "steady --conns 2 --inflight 4 --size 60000",
  resets: "reset --conns 20 --inflight 64 --size 1000",
};
const IDLE_CONNS = 1000;

/** Memory may settle for this many minutes before its growth counts. */
const SETTLED = 5;

interface Minute {
  /** KiB */
  resident: number;
  peak: number;
  descriptors: number;
  loads: Record<string, LoadResult>;
}

async function runMinute(server: Server, load: string, seconds: number): Promise<Minute> {
  const resident: number[] = [];
  const descriptors: number[] = [];
  const loads: Record<string, LoadResult> = {};
  await runLoad(load, server.endpoint, ["idle", "--conns", String(IDLE_CONNS)], async () => {
    const times = ["--duration", String(seconds), "--warmup", "0"];
    let running = true;
    const finished = Promise.all(
      Object.entries(MIXTURE).map(async ([name, args]) => {
        loads[name] = await runLoad(load, server.endpoint, [...args.split(" "), ...times]);
      }),
    ).finally(() => running = false);
    const sample = async () => {
      while (running) {
        resident.push(await residentKib(server.pid));
        descriptors.push(Array.from(Deno.readDirSync(`/proc/${server.pid}/fd`)).length);
        await sleep(1000);
      }
    };
    await Promise.all([finished, sample()]);
  });
  return { resident: median(resident), peak: Math.max(...resident), descriptors: median(descriptors), loads };
}

async function soak(): Promise<number> {
  const { values: options } = parseArgs({
    args: Deno.args,
    options: {
      minutes: { type: "string", default: "30" },
      /** The length of a minute in seconds, to try it out. */
      "minute-seconds": { type: "string", default: "60" },
      bin: { type: "string" },
    },
  });
  const minutes = Number(options.minutes);
  const seconds = Number(options["minute-seconds"]);
  if (!(Number.isInteger(minutes) && minutes >= 2)) {
    throw new Error(`Cannot soak "${minutes}" minutes: at least 2`);
  }
  if (!(seconds >= 1)) {
    throw new Error(`Cannot take "${options["minute-seconds"]}" seconds for a minute: at least 1`);
  }

  const directory = await Deno.makeTempDir({ prefix: "tsecho-soak-" });
  const load = await compile("load.c", directory);
  const server = await startServer(
    tsecho(options.bin, "server", "tcp://127.0.0.1:0", "--quiet", "--max-conns", "12000"),
  );
  try {
    const row = (cells: (string | number)[]) =>
      console.log(cells.map((cell) => String(cell).padStart(11)).join(" "));
    row(["minute", "KiB", "peak KiB", "open files", ...Object.keys(MIXTURE).map((name) => `${name}/s`)]);
    row([0, await residentKib(server.pid)]);
    const medians: number[] = [];
    for (let minute = 1; minute <= minutes; minute++) {
      const { resident, peak, descriptors, loads } = await runMinute(server, load, seconds);
      medians.push(resident);
      const rates = Object.keys(MIXTURE).map((name) => loads[name]?.rate.toFixed(0) ?? "");
      row([minute, resident.toFixed(0), peak, descriptors, ...rates]);
    }
    const from = Math.min(SETTLED, minutes - 1);
    const base = medians[from - 1] ?? NaN;
    const growth = (medians[minutes - 1] ?? NaN) - base;
    const allowed = Math.max(base * 0.1, 8 * 1024);
    const flat = growth <= allowed;
    console.log(
      `\nFrom minute ${from} to minute ${minutes} resident memory grew by ${growth.toFixed(0)} KiB; ` +
        `allowed are ${allowed.toFixed(0)} KiB: ${flat ? "flat" : "NOT flat"}`,
    );
    return flat ? 0 : 1;
  } finally {
    await server.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) await main("soak", soak);
