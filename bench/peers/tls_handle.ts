/**
 * What Deno gives at best over TLS: the native part of node:tls's sockets on a `Deno.TcpConn`, and tsecho's stamps.
 * There are no time-outs, no half-close and no limits: how much faster it is than tsecho is what all of these cost, and
 * how much slower than Go is what no program in this Deno gets rid of.
 *
 *     deno run --allow-net --allow-read tls_handle.ts PORT CERT KEY
 */
import { createSecureContext } from "node:tls";
import { HandleMaker, type ServerHandle } from "../../net/tls_handle.ts";
import { freeNow } from "../../net/tls_records.ts";
import { Prefix, Responder } from "../../protocol.ts";
import { wallMicros } from "../../time/clock.ts";

/** Bytes that the native part encrypts at once. */
const MAX_PART = 48 * 1024;
const MAX_READ_SIZE = 64 * 1024;
const REQUEST = {};
const [port, cert = "", key = ""] = Deno.args;
const arrived = new Uint8Array(MAX_READ_SIZE);
const prefix = new Prefix("iso");

async function send(conn: Deno.TcpConn, handle: ServerHandle): Promise<void> {
  const records = handle.drainEncOut();
  for (let sent = 0; sent < records.length;) sent += await conn.write(records.subarray(sent));
  freeNow(records);
}

async function answer(conn: Deno.TcpConn, handle: ServerHandle, responder: Responder, length: number) {
  const readAt = wallMicros();
  // Another connection's plaintext arrives there while this one's replies are written.
  const plain = length <= responder.readBuffer().length ? arrived : arrived.slice(0, length);
  for (let from = 0; from < length;) {
    const buffer = responder.readBuffer();
    const part = Math.min(buffer.length, length - from);
    buffer.set(plain.subarray(from, from + part));
    from += part;
    responder.commit(part);
    for (let replies; (replies = responder.next(prefix.at(readAt))) !== undefined;) {
      for (let at = 0; at < replies.length; at += MAX_PART) {
        handle.writeBuffer(REQUEST, replies.subarray(at, at + MAX_PART));
        await send(conn, handle);
      }
    }
  }
}

async function serve(conn: Deno.TcpConn, handle: ServerHandle): Promise<void> {
  conn.setNoDelay(true);
  const responder = new Responder("line", MAX_READ_SIZE);
  let buffer = new Uint8Array(512);
  let taken = 0;
  let length = 0;
  let ended = false;
  handle.onread = () => {
    length = handle.getBytesRead() - taken;
    taken += length;
    ended ||= length === 0;
  };
  handle.onerror = () => ended = true;
  handle.setHandle(handle);
  handle.useUserBuffer(arrived);
  handle.readStart();
  handle.start();
  try {
    while (!ended) {
      const n = await conn.read(buffer);
      if (n === null) break;
      length = 0;
      handle.readBuffer(buffer.subarray(0, n));
      if (n === buffer.length && n < MAX_READ_SIZE) buffer = new Uint8Array(2 * n);
      if (length > 0) await answer(conn, handle, responder, length);
      else await send(conn, handle);
    }
    handle.shutdown(REQUEST);
    await send(conn, handle);
  } catch { /* The peer has gone. */ }
  handle.destroySsl();
  responder.close();
  conn.close();
}

const context = createSecureContext({ cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) });
const handles = HandleMaker.of(context, ["tsecho"]);
if (handles === undefined) throw new Error("this Deno makes the native part of node:tls in another way");
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(port), tcpBacklog: 4096 });
console.log(`listening on tls://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`);
for (;;) void serve(await listener.accept(), handles.make());
