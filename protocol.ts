/**
 * The protocol that server and client share: bytes in, bytes out, no sockets. docs/protocol.md describes it.
 *
 * A server reads into a {@linkcode Responder} and writes what it returns; {@linkcode Prefix} makes the stamp in front
 * of each line:
 *
 * ```ts
 * import { Prefix, Responder } from "./protocol.ts";
 *
 * const responder = new Responder("line", 65536);
 * const prefix = new Prefix("unix", "web-1");
 *
 * // What a read would have put there.
 * const arrived = new TextEncoder().encode("hello\nhalf a li");
 * responder.readBuffer().set(arrived);
 * responder.commit(arrived.length);
 *
 * const stamp = prefix.at(1_795_405_020_123_456);
 * for (let replies; (replies = responder.next(stamp)) !== undefined;) {
 *   console.log(new TextDecoder().decode(replies).trimEnd()); // [1795405020.123456 web-1] hello
 * }
 * responder.close();
 * ```
 *
 * A client verifies replies and finds the server's error among them with {@linkcode ReplyVerifier}, or with
 * {@linkcode ReplyScanner} takes any; it cuts a stream into lines with {@linkcode LineSplitter}, takes a stamp apart
 * with {@linkcode PrefixReader}, and matches datagrams with {@linkcode DatagramReplies}.
 */

export {
  CHUNK_SIZE,
  errorReason,
  errorReply,
  type Framing,
  FRAMINGS,
  LF,
  MAX_ERROR_LENGTH,
  quoteLine,
  serversWord,
} from "./protocol/lines.ts";
export { echoOfChunk, isEcho } from "./protocol/echo.ts";
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
export { MAX_HELD, ReplyScanner, type ReplyStream } from "./protocol/reply_scanner.ts";
export { ReplyVerifier } from "./protocol/reply_verifier.ts";
export { LineSplitter } from "./protocol/line_splitter.ts";
export { areAlike, LineRing, MAX_PAYLOAD } from "./protocol/line_ring.ts";
export { EchoMatcher } from "./protocol/echo_matcher.ts";
export { type MatchKind, ReplyMatcher } from "./protocol/reply_matcher.ts";
export { DatagramReplies } from "./protocol/datagram_replies.ts";
export {
  acquireSlot,
  countLf,
  HUGE_SLOT,
  LARGE_SLOT,
  releaseSlot,
  SMALL_SLOT,
} from "./protocol/wasm/kernel.ts";
