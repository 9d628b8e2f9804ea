/** Reading files that the user names, which may be of any kind and size. */

const MEBIBYTE = 1024 ** 2;

/**
 * Reads a text file (UTF-8), unless it is larger than expected or has no end, such as /dev/zero.
 *
 * @param max most bytes.
 * @throws {Error} when it has more; Deno's own errors when it cannot be read.
 */
export async function readText(path: string, max: number): Promise<string> {
  using file = await Deno.open(path);
  checkSize((await file.stat()).size, max); // a large file is refused before it is read
  return await decodeText(file.readable, max);
}

/** Reads a stream of text likewise. */
export async function decodeText(stream: ReadableStream<Uint8Array>, max: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    checkSize(size, max);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function checkSize(bytes: number, max: number): void {
  if (bytes > max) throw new Error(`it has more than ${Math.floor(max / MEBIBYTE)} MiB`);
}
