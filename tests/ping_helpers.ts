/** What the tests of ping share: runs read back from JSON, and peers of a few lines. */
import { assertEquals } from "@std/assert";
import type { Counts, Estimate, Summary } from "../stats/summary.ts";
import { Running, type ServerPeer, TSECHO, tsecho, within } from "./helpers.ts";

/** A run as `--json` saves it. */
export interface Saved {
  start: Record<string, unknown>;
  replies: {
    seq: number;
    fate: string;
    rtt: number;
    at: number;
    connect?: number;
    handshake?: number;
    reason?: string;
  }[];
  end: Summary & {
    ended: string | null;
    interval: number | null;
    thresholds: { threshold: string; value: number | null; broken: boolean }[];
  };
}

/** Starts a ping without end, of 50 lines a second. */
export function startPing({ port }: ServerPeer, ...args: string[]): Running {
  return new Running([...TSECHO, "ping", `127.0.0.1:${port}`, "-i", "0.02", ...args]);
}

/** Runs ping to its end and reads its document; the run must end with `code`. */
export async function pingJson(args: string[], code = 0): Promise<Saved & { stderr: string }> {
  const outcome = await tsecho(["ping", "--json", "-", ...args]);
  assertEquals(outcome.code, code, outcome.stderr);
  return { ...JSON.parse(outcome.stdout), stderr: outcome.stderr };
}

/** Whether the truth is within the bound. */
export function contains({ value, bound }: Estimate, truth: number): boolean {
  return Math.abs(value - truth) <= bound;
}

export function countsOf(summary: Summary): Partial<Counts> {
  const { sent, received, lost, late, duplicates, reordered, corrupt } = summary;
  return { sent, received, lost, late, duplicates, reordered, corrupt };
}

/** Counts of a run in which nothing went wrong. */
export const NONE = { lost: 0, late: 0, duplicates: 0, reordered: 0, corrupt: 0 };

/** A TCP server of a few lines for one connection at a time. */
export async function withPeer(
  serve: (conn: Deno.TcpConn) => Promise<void>,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const conn = await listener.accept();
    await serve(conn).finally(() => conn.close());
  })();
  await use(listener.addr.port);
  listener.close();
  await within(serving, "the peer to end");
}

/** Reads and never answers. */
export async function untilEnd(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65536);
  while (await conn.read(buffer).catch(() => null) !== null);
}

/** Ping's text without the lines that it could not send in time, which come and go with the machine's load. */
export function withoutMissed(text: string): string {
  return text.replaceAll(
    /^(?:\d+ lines? (?:(?:was|were) due and )?not sent: |send lag |response )[^\n]*\n/gm,
    "",
  );
}
