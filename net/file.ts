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
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  const check = (bytes: number) => {
    if (bytes > max) throw new Error(`it has more than ${Math.floor(max / MEBIBYTE)} MiB`);
  };
  check((await file.stat()).size); // a large file is refused before it is read
  for await (const chunk of file.readable) {
    size += chunk.length;
    check(size);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
