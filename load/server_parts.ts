import type { LoadInterval, ServerPart } from "../stats/load_interval.ts";
import { tagToKeep } from "../stats/server_stats.ts";

/** The servers of a run by their tags. Ever new tags must not fill the memory. */
export class ServerParts {
  readonly #tags = new Set<string | null>();
  /** The part that was asked for last, its tag and its interval: most replies are by the server of the one before. */
  #part: ServerPart | undefined;
  #tag: string | null = null;
  #interval: LoadInterval | undefined;

  /** What a server answered in an interval. */
  partOf(tag: string | null, interval: LoadInterval): ServerPart {
    if (this.#part === undefined || tag !== this.#tag || interval !== this.#interval) {
      this.#part = interval.server(this.nameOf(tag));
      this.#tag = tag;
      this.#interval = interval;
    }
    return this.#part;
  }

  /** The tag under which a server is kept. */
  nameOf(tag: string | null): string | null {
    const name = tagToKeep(tag, this.#tags);
    if (name === tag) this.#tags.add(tag);
    return name;
  }
}
