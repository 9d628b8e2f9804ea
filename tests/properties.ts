/** Properties: how they are run, and what their error says. Apart from harness.ts, because fast-check takes long to load. */
import fc from "fast-check";
import { cases, environment, running } from "./harness.ts";

/** Any character, often ASCII: what fast-check's `unit: "binary"` means, which takes seconds to be made. */
export const CHARACTER: fc.Arbitrary<string> = fc.oneof(fc.nat(0x7f), fc.nat(0xd7ff), fc.nat(0x10ffff))
  .map((code) => code >= 0xd800 && code < 0xe000 ? "\ufffd" : String.fromCodePoint(code));

/**
 * fc.assert, whose error says how to run the failing case again: TSECHO_SEED is `seed` or `seed/path`, and holds for every
 * property of the run.
 */
export function assertProperty<T>(property: fc.IProperty<T>, parameters?: fc.Parameters<T>): void;
export function assertProperty<T>(
  property: fc.IAsyncProperty<T>,
  parameters?: fc.Parameters<T>,
): Promise<void>;
export function assertProperty<T>(
  property: fc.IRawProperty<T>,
  parameters: fc.Parameters<T> = {},
): void | Promise<void> {
  const [seed, path] = environment("TSECHO_SEED")?.split("/") ?? [];
  const replay = { ...seed !== undefined && { seed: Number(seed) }, ...path !== undefined && { path } };
  const details = fc.check(property as fc.IProperty<T>, { numRuns: cases(100), ...parameters, ...replay }) as
    | fc.RunDetails<T>
    | Promise<fc.RunDetails<T>>;
  return details instanceof Promise ? details.then(throwIfFailed) : throwIfFailed(details);
}

function throwIfFailed<T>(details: fc.RunDetails<T>): void {
  if (!details.failed) return;
  const replay = [details.seed, details.counterexamplePath].filter((it) => it !== null).join("/");
  throw new Error(
    `${fc.defaultReportMessage(details)}\n\nRun it again with\n` +
      `  TSECHO_SEED=${replay} deno test -A ${running.file} --filter ${JSON.stringify(running.name)}\n`,
    { cause: details.errorInstance },
  );
}
