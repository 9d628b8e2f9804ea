/**
 * The least that a closed loop can do under Deno: `conn.read`, then `conn.write` of as many lines as came back, and
 * nothing else. It verifies nothing and measures nothing but its rate: what `tsecho load` is slower than this is its own.
 *
 *     deno run --allow-net load_bare.ts HOST:PORT CONNECTIONS DEPTH SIZE SECONDS
 */
const [endpoint = "", ...numbers] = Deno.args;
const [connections = 1, depth = 1, size = 32, seconds = 1] = numbers.map(Number);
const [hostname = "", port] = endpoint.split(":");
/** Bytes of `[2026-11-23T03:37:00.123456Z] `. */
const PREFIX = 30;
const WARMUP_MS = 1000;

const lines = new Uint8Array(depth * size).fill(0x61);
for (let end = size; end <= lines.length; end += size) lines[end - 1] = 0x0a;
let received = 0;
let isOver = false;

async function run(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(128 * 1024);
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

const conns: Deno.TcpConn[] = [];
for (let i = 0; i < connections; i++) {
  const conn = await Deno.connect({ hostname, port: Number(port) });
  conn.setNoDelay(true);
  conns.push(conn);
}
const running = Promise.all(conns.map(run));
await new Promise((resolve) => setTimeout(resolve, WARMUP_MS));
const [from, before] = [performance.now(), received];
await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
console.log(JSON.stringify({ rate: (received - before) * 1000 / (performance.now() - from) }));
isOver = true;
await running;
