/** The sweep's part "connections": many that are busy at once, to tsecho and to the C server in turn. */

import { withRoom } from "./cases.ts";
import { type Peer, PEERS, type Setup } from "./peers.ts";
import { markdown, short } from "./report.ts";
import { type LoadResult, median, runLoad, type Server, startServer } from "./tools.ts";

const ROUNDS = 3;
/** Of a window, seconds: long enough for some replies on each of 5,000 connections. */
const DURATION = 0.7;
/** A server that has not answered all in this time leaves some of them without replies; seconds. */
const MAX_SECONDS = 20;
/** The highest p99, as a multiple of the C server's, whose p50 is about half of tsecho's. */
const MAX_P99_RATIO = 5;
/** Descriptors that a server needs beside those of its connections. */
const SPARE_DESCRIPTORS = 200;

interface Load {
  conns: number;
  /** Lines in flight on each. */
  inflight: number;
  /** Bytes of a line on the wire, LF included. */
  size: number;
}

const LOADS: Load[] = [
  { conns: 50, inflight: 1, size: 32 },
  { conns: 257, inflight: 1, size: 32 },
  { conns: 1000, inflight: 1, size: 32 },
  { conns: 1000, inflight: 16, size: 100 },
  { conns: 5000, inflight: 1, size: 32 },
];

/** What one server did under one load. A round that did not end is an error, and the last one. */
interface Row {
  load: Load;
  peer: string;
  rounds: LoadResult[];
  error?: string;
}

/**
 * Measures tsecho beside C, and beside `setup.before` if there is one.
 *
 * @returns a table in Markdown, and what is beyond its limit.
 */
export async function connections(setup: Setup): Promise<{ table: string; kinks: string[] }> {
  const loads = LOADS.filter(({ conns }) => conns + SPARE_DESCRIPTORS <= maxDescriptors());
  if (loads.length < LOADS.length) console.error("connections: the limit of descriptors leaves some out");
  const wanted = ["tsecho", ...(setup.before === undefined ? [] : ["before"]), "C"];
  const peers = wanted.map((name) => PEERS.find((peer) => peer.name === name)!);
  const servers: [Peer, Server][] = [];
  try {
    for (const peer of peers) {
      servers.push([peer, await startServer(withRoom(peer, peer.server!.tcp!(setup)))]);
    }
    for (let i = 0; i < 4; i++) { // until the JIT compiler has seen it
      for (const [, server] of servers) {
        await steady(setup, server, { conns: 10, inflight: 16, size: 32 }, setup.duration);
      }
    }
    const rows: Row[] = [];
    for (const load of loads) rows.push(...await measure(setup, servers, load));
    return { table: table(rows, wanted), kinks: kinks(rows) };
  } finally {
    for (const [, server] of servers) await server.stop();
  }
}

function maxDescriptors(): number {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  return Number(limits.match(/^Max open files\s+\S+\s+(\d+)/m)?.[1] ?? Infinity);
}

function steady(
  setup: Setup,
  server: Server,
  { conns, inflight, size }: Load,
  duration = DURATION,
): Promise<LoadResult> {
  const numbers = { conns, inflight, size, duration, warmup: setup.warmup, server: server.pid };
  const options = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return runLoad(["timeout", String(MAX_SECONDS), setup.load], server.endpoint, ["steady", ...options]);
}

/** The servers take turns. */
async function measure(setup: Setup, servers: [Peer, Server][], load: Load): Promise<Row[]> {
  const rows = servers.map(([{ name }, server]) => ({
    server,
    row: { load, peer: name, rounds: [] } as Row,
  }));
  for (let round = 1; round <= ROUNDS; round++) {
    console.error(`connections: ${nameOf(load)}, round ${round} of ${ROUNDS}`);
    for (const { server, row } of rows) {
      if (row.error !== undefined) continue;
      try {
        row.rounds.push(await steady(setup, server, load));
      } catch (error) {
        row.error = error instanceof Error ? error.message : String(error);
      }
    }
  }
  return rows.map(({ row }) => row);
}

function nameOf({ conns, inflight, size }: Load): string {
  return `${conns.toLocaleString("en")} × ${inflight} × ${size}`;
}

/** The median of the rounds' ratios of two rows. */
function ratio(own: Row, other: Row, value: (round: LoadResult) => number): number {
  return median(own.rounds.flatMap((round, i) => {
    const beside = other.rounds[i];
    return beside === undefined ? [] : value(round) / value(beside);
  }));
}

function kinks(rows: Row[]): string[] {
  return rows.filter(({ peer }) => peer === "tsecho").flatMap((own) => {
    const name = `connections, ${nameOf(own.load)}`;
    if (own.error !== undefined) return [`${name}: ${own.error}`];
    const beside = rows.find(({ peer, load }) => peer === "C" && load === own.load)!;
    const times = ratio(own, beside, ({ p99_us = NaN }) => p99_us);
    return times > MAX_P99_RATIO
      ? [`${name}: p99 is ${times.toFixed(1)} × C's, the limit is ${MAX_P99_RATIO}`]
      : [];
  });
}

/** Of each load a line for each figure, a column a server. */
function table(rows: Row[], peers: string[]): string {
  const figures: [string, (rounds: LoadResult[]) => string][] = [
    ["– p50 / p99, ms", (rounds) => `${ms(rounds, "p50_us")} / ${ms(rounds, "p99_us")}`],
    [
      "– the server's CPU time a line, µs",
      (rounds) => short(median(rounds.map(({ server_cpu = NaN, count }) => server_cpu / count * 1e6))),
    ],
    [
      "– until all had a reply, s",
      (rounds) => short(median(rounds.map(({ all_answered = NaN }) => all_answered))),
    ],
  ];
  const lines = [["connections × lines in flight × bytes", ...peers]];
  for (const load of new Set(rows.map((row) => row.load))) {
    const cells = peers.map((name) => rows.find(({ peer, load: it }) => peer === name && it === load)!);
    const own = cells[0]!;
    const rate = (cell: Row) => {
      if (cell.rounds.length === 0) return cell.error ?? "";
      const times = cell === own ? "" : ` (${ratio(own, cell, (round) => round.rate).toFixed(2)}×)`;
      return short(median(cell.rounds.map((round) => round.rate))) + times;
    };
    lines.push([`${nameOf(load)}, lines/s`, ...cells.map(rate)]);
    for (const [name, figure] of figures) {
      lines.push([name, ...cells.map(({ rounds }) => rounds.length === 0 ? "" : figure(rounds))]);
    }
  }
  return markdown(lines);
}

function ms(rounds: LoadResult[], key: "p50_us" | "p99_us"): string {
  return short(median(rounds.map((round) => (round[key] ?? NaN) / 1000)));
}
