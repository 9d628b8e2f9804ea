/**
 * The protocol that server and client share: bytes in, bytes out, no sockets. docs/protocol.md describes it.
 *
 * A server reads into a {@linkcode Responder} and writes what it returns; {@linkcode Prefix} makes the stamp in front
 * of each line:
 *
 *     const responder = new Responder("line", 65536);
 *     const prefix = new Prefix("iso");
 *     for (let n; (n = await conn.read(responder.readBuffer())) !== null;) {
 *       responder.commit(n);
 *       const stamp = prefix.at(Date.now() * 1000);
 *       for (let replies; (replies = responder.next(stamp));) await writeAll(conn, replies);
 *     }
 *
 * A client counts replies and finds the server's error among them with {@linkcode ReplyScanner}, cuts a stream into
 * lines with {@linkcode LineSplitter}, takes a stamp apart with {@linkcode PrefixReader}, and matches datagrams with
 * {@linkcode DatagramReplies}.
 */

export { CHUNK_SIZE, errorReason, errorReply, type Framing, FRAMINGS, LF } from "./protocol/lines.ts";
export { Responder } from "./protocol/responder.ts";
export {
  MAX_PREFIX_LENGTH,
  Prefix,
  prefixLength,
  PrefixReader,
  type ReadPrefix,
  STAMP_FORMATS,
  type StampFormat,
} from "./protocol/stamps.ts";
export { ReplyScanner } from "./protocol/reply_scanner.ts";
export { LineSplitter } from "./protocol/line_splitter.ts";
export { DatagramReplies } from "./protocol/datagram_replies.ts";
export { acquireSlot, countLf, SMALL_SLOT } from "./protocol/wasm/kernel.ts";
