/**
 * The least that a load can do under Deno: `conn.read` and `conn.write`, and nothing else. It verifies nothing: what
 * `tsecho load` is slower than this is its own.
 *
 *     deno run --allow-net load_bare.ts HOST:PORT CONNECTIONS DEPTH SIZE SECONDS [RATE]
 *
 * Without RATE each read calls for as many lines as came back, and the rate is measured. With it so many lines a second
 * are sent at even moments, one behind the other over all connections, and send lag and response are.
 */
import { setImmediate } from "node:timers";

const [endpoint = "", ...numbers] = Deno.args;
const [connections = 1, depth = 1, size = 32, seconds = 1, rate = 0] = numbers.map(Number);
const [hostname = "", port] = endpoint.split(":");
/** Bytes of `[2026-11-23T03:37:00.123456Z] `. */
const PREFIX = 30;
const WARMUP_MS = 1000;
const READ_SIZE = 128 * 1024;

const lines = new Uint8Array(depth * size).fill(0x61);
for (let end = size; end <= lines.length; end += size) lines[end - 1] = 0x0a;
let received = 0;
let isOver = false;

async function refill(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(READ_SIZE);
  await conn.write(lines);
  for (let bytes = 0; !isOver;) {
    const n = await conn.read(buffer);
    if (n === null) throw new Error("the server closed a connection");
    const whole = Math.floor((bytes + n) / (PREFIX + size));
    bytes += n - whole * (PREFIX + size);
    received += whole;
    // A server that reads at once takes this whole: lines in flight are fewer than its buffers hold.
    if (whole > 0) await conn.write(lines.subarray(0, whole * size));
  }
  conn.close();
}

/** Lines a second, once they have run for a while. */
async function closedLoop(conns: Deno.TcpConn[]): Promise<{ rate: number }> {
  const running = Promise.all(conns.map(refill));
  await new Promise((resolve) => setTimeout(resolve, WARMUP_MS));
  const [from, before] = [performance.now(), received];
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const result = { rate: (received - before) * 1000 / (performance.now() - from) };
  isOver = true;
  await running;
  return result;
}

/** How late lines are sent, and how long after their planned moments the replies are here; medians and p99 in µs. */
async function openLoop(conns: Deno.TcpConn[]): Promise<Record<string, number>> {
  const waiting: number[][] = conns.map(() => []);
  const lags: number[] = [];
  const responses: number[] = [];
  const start = performance.now() + 10;
  const from = start + WARMUP_MS;
  const until = from + 1000 * seconds;
  const total = Math.ceil((until - start) * rate / 1000);
  const last = Promise.withResolvers<void>();
  const take = async (conn: Deno.TcpConn, waiting: number[]) => {
    const buffer = new Uint8Array(READ_SIZE);
    for (let bytes = 0;;) {
      const n = await conn.read(buffer);
      if (n === null) throw new Error("the server closed a connection");
      const now = performance.now();
      for (bytes += n; bytes >= PREFIX + size; bytes -= PREFIX + size) {
        const planned = waiting.shift()!;
        if (planned >= from) responses.push(now - planned);
        if (++received === total) last.resolve();
      }
    }
  };
  conns.forEach((conn, i) => void take(conn, waiting[i]!));
  for (let sent = 0; sent < total;) {
    for (let planned; sent < total && (planned = start + sent * 1000 / rate) <= performance.now(); sent++) {
      if (planned >= from) lags.push(performance.now() - planned);
      waiting[sent % connections]!.push(planned);
      void conns[sent % connections]!.write(lines.subarray(0, size));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await last.promise;
  const at = (values: number[], share: number) =>
    1000 * values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;
  return { lag_p50_us: at(lags, 0.5), lag_p99_us: at(lags, 0.99), p50_us: at(responses, 0.5) };
}

const conns: Deno.TcpConn[] = [];
for (let i = 0; i < connections; i++) {
  const conn = await Deno.connect({ hostname, port: Number(port) });
  conn.setNoDelay(true);
  conns.push(conn);
}
console.log(JSON.stringify(rate > 0 ? await openLoop(conns) : await closedLoop(conns)));
Deno.exit(0);
