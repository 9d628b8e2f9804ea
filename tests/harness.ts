/**
 * Deno.test, and what a test needs beside it. A test that lacks a permission or a program is ignored, and its name says
 * which: nothing is asked of the user, and plain `deno test` runs what it can.
 */
import type { ReplyStream } from "../protocol.ts";

type Permission = "env" | "net" | "read" | "run" | "sys" | "write";

/** A permission, as it is typed, or the name of a program. */
export type Need = `--allow-${Permission}` | (string & Record<never, never>);

/** What a test with real processes and sockets needs. */
export const E2E: readonly Need[] = ["env", "net", "read", "run", "write"].map((it) => `--allow-${it}`);

/**
 * Which runs have a test. Each feature has a quick one that fails when it is broken; what is slow beside it (its other
 * variants, a browser, a simulation) is not for the run that everybody waits for.
 *
 * | level     | what it is for                                | `test-unit` | `test` | `test-slow` | `test-long` | `test-binary` |
 * | --------- | --------------------------------------------- | ----------- | ------ | ----------- | ----------- | ------------- |
 * | `"quick"` | the default                                   | yes         | yes    |             |             | yes           |
 * | `"heavy"` | what computes for long                        |             | yes    |             |             |               |
 * | `"slow"`  | more cases of what a quick test shows         |             |        | yes         |             | some          |
 * | `"sized"` | what more lines or cases prove better         |             | yes    |             | larger      | yes           |
 * | `"large"` | likewise, where few of them take long as well |             |        |             | larger      | yes           |
 * | `"long"`  | what takes a machine for long                 |             |        |             | larger      |               |
 *
 * Of these `test-unit` has the tests without processes and sockets, `test-binary` those with them; it takes the slow ones
 * of the files that its command names, where a binary may differ from the sources. Plain `deno test` has
 * what `test` has.
 */
export type Level = "quick" | "heavy" | "slow" | "sized" | "large" | "long";

/** Deno.test's options, and those of this project. */
export interface Options extends Partial<Omit<Deno.TestDefinition, "fn">> {
  needs?: readonly Need[];
  level?: Level;
}

type Body = (t: Deno.TestContext) => void | Promise<void>;
type Definition = Options & { fn: Body };

/** Deno.test's forms. */
interface Test {
  (name: string, fn: Body): void;
  (name: string, options: Options, fn: Body): void;
  (options: Options, fn: Body): void;
  (definition: Definition): void;
  (fn: Body): void;
}

/** Whether a permission is granted as a whole; never prompts. */
export function granted(name: Permission): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}

/** A variable of the environment; undefined too where that may not be read. */
export function environment(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

/** Whether this is `deno task test-long`. */
export const LONG = environment("TSECHO_LONG") === "1";
/** Whether this is `deno task test-slow`. */
const SLOW = environment("TSECHO_SLOW") === "1";
/** Whether this is `deno task test-unit`. */
const UNIT = environment("TSECHO_UNIT") === "1";
/** The levels of this run. */
const LEVELS: readonly Level[] = LONG || SLOW
  ? [...LONG ? ["sized", "large", "long"] as const : [], ...SLOW ? ["slow"] as const : []]
  : UNIT
  ? ["quick"]
  : environment("TSECHO_BIN") !== undefined
  ? ["quick", "sized", "large"]
  : ["quick", "heavy", "sized"];
const path = environment("PATH")?.split(":") ?? [];

function installed(program: string): boolean {
  // Without permission to look, the permission is what is missing.
  return !granted("env") || !granted("read") || whereIs(program) !== undefined;
}

/** The path of a program; undefined if it is not installed. */
export function whereIs(program: string): string | undefined {
  return path.map((folder) => `${folder}/${program}`).find((it) => {
    try {
      return Deno.statSync(it).isFile;
    } catch {
      return false;
    }
  });
}

/** Those of the needs that are not met. */
export function lacking(needs: readonly Need[]): Need[] {
  return needs.filter((need) =>
    need.startsWith("--allow-") ? !granted(need.slice(8) as Permission) : !installed(need)
  );
}

/** A size that proves more in `deno task test-long` than there is time for in every run. */
export function volume(short: number, long: number): number {
  return LONG ? long : short;
}

/** So many random cases; a tenth without permissions, which is how the quick `deno task test-unit` runs. */
export function cases(all: number): number {
  return granted("env") ? all : Math.ceil(all / 10);
}

/** The test file that is being loaded. */
let file = Deno.mainModule.replace(/^.*\/(?=tests\/)/, "");

/** Says which file is loaded next, where one module loads many. */
export function loads(name: string): void {
  file = name;
}

/** The test that runs; those of a file run one after the other. */
export let running = { name: "", file };

function register(base: readonly Need[], parts: (string | Options | Body)[]): void {
  const definition: Partial<Definition> = {};
  for (const part of parts) {
    if (typeof part === "string") definition.name = part;
    else if (typeof part === "function") definition.fn = part;
    else Object.assign(definition, part);
  }
  const { needs = [], level = "quick", fn, name = fn!.name, ...options } = definition;
  if (!LEVELS.includes(level)) return;
  const missing = lacking([...base, ...needs]);
  const test = { name, file };
  Deno.test({
    ...options,
    name: missing.length > 0 ? `${name}, needs ${missing.join(" ")}` : name,
    ignore: (options.ignore ?? false) || missing.length > 0,
    fn: async (t) => {
      running = test;
      await fn!(t);
    },
  });
}

/** Registers a test that needs no permission, or those that its options name. */
export const test: Test = (...parts: (string | Options | Body)[]) => register([], parts);

/** Registers a test with real processes and sockets. */
export const e2e: Test = (...parts: (string | Options | Body)[]) => register(E2E, parts);

/** Has a client's record of replies take these bytes as sent. */
export function send(replies: ReplyStream, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) {
    const room = replies.room(bytes.length - sent)!;
    room.set(bytes.subarray(sent, sent + room.length));
    replies.sending(room.length);
    sent += room.length;
  }
}
