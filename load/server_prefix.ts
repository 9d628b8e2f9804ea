import { MAX_PREFIX_LENGTH, PrefixReader } from "../protocol.ts";

/** Where stamps of all formats that are fine enough differ from each other: a letter, a dot, or a digit of a ctime. */
const TELLING = 11;
const NOTHING = new Uint8Array();

/** What the prefix of a reply says: by which server, and when. It is parsed as far as it is new and asked for. */
export class ServerPrefix {
  /** The server's tag. */
  tag: string | null = null;
  readonly #reader = new PrefixReader();
  /** The prefix that was parsed last, and where its tag begins. */
  #known: Uint8Array = NOTHING;
  #tagAt = 0;
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #length = 0;

  /** Takes the prefix of replies, which stays where it is until {@linkcode stamp} is called. */
  read(bytes: Uint8Array, at: number, length: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#length = Math.min(length, MAX_PREFIX_LENGTH);
    if (!this.#isOfSameServer()) this.#parse();
  }

  /** The moment of the stamp, in µs since the epoch; undefined of one that is too coarse, or none. */
  stamp(): number | undefined {
    const { format, micros } = this.#reader.read(this.#prefix());
    return format === "iso" || format === "unix" ? micros : undefined;
  }

  /** Whether the prefix has the length, the format and the tag of the one before. */
  #isOfSameServer(): boolean {
    const known = this.#known;
    if (known.length !== this.#length) return false;
    if (known[TELLING] !== this.#bytes[this.#at + TELLING]) return known.length === 0;
    for (let i = this.#tagAt; i < known.length; i++) {
      if (known[i] !== this.#bytes[this.#at + i]) return false;
    }
    return true;
  }

  #parse(): void {
    this.#known = this.#prefix().slice();
    this.tag = this.#reader.read(this.#known).tag ?? null;
    // Behind it come a bracket and a blank.
    this.#tagAt = Math.max(0, this.#length - (this.tag?.length ?? 0) - 2);
  }

  #prefix(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + this.#length);
  }
}
