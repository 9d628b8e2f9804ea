/** Reading files that the user names, which may be of any kind and size. */
import { openWaiting } from "./open.ts";

const MEBIBYTE = 1024 ** 2;
const LF = 0x0a;

/**
 * Reads a text file (UTF-8), unless it is larger than expected or has no end, such as /dev/zero.
 *
 * @param max most bytes.
 * @throws {Error} when it has more; Deno's own errors when it cannot be read.
 */
export function readText(path: string, max: number): Promise<string> {
  return textOf(chunksOf(path, max));
}

/** Reads a stream of text likewise. */
export function decodeText(stream: ReadableStream<Uint8Array>, max: number): Promise<string> {
  return textOf(limited(stream, max));
}

/** Reads the lines of a file as bytes without their LF, like {@linkcode readText}. */
export async function readLines(path: string, max: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of chunksOf(path, max)) chunks.push(chunk);
  const bytes = await new Blob(chunks).bytes();
  const lines: Uint8Array[] = [];
  for (let begin = 0; begin < bytes.length;) {
    const found = bytes.indexOf(LF, begin);
    const end = found < 0 ? bytes.length : found;
    lines.push(bytes.subarray(begin, end));
    begin = end + 1;
  }
  return lines;
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

async function* chunksOf(path: string, max: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using file = await openWaiting(path, { read: true });
  checkSize((await file.stat()).size, max); // a large file is refused before it is read
  yield* limited(file.readable, max);
}

async function* limited<Chunk extends Uint8Array>(
  stream: ReadableStream<Chunk>,
  max: number,
): AsyncGenerator<Chunk> {
  let size = 0;
  for await (const chunk of stream) {
    checkSize(size += chunk.length, max);
    yield chunk;
  }
}

function checkSize(bytes: number, max: number): void {
  if (bytes > max) throw new Error(`it has more than ${Math.floor(max / MEBIBYTE)} MiB`);
}
