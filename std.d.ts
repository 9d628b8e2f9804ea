// The npm package that carries @std ships no types: these are the functions used here, no more.

declare module "@std/cli/parse-args" {
  /** Sorts argv into options and positional arguments, which are under `_`. */
  export function parseArgs(
    args: string[],
    options: { boolean: string[]; string: string[]; collect: string[] },
  ): { _: string[]; [option: string]: boolean | string[] | undefined };
}

declare module "@std/bytes/concat" {
  /** The bytes of all buffers, in an array of their own. */
  export function concat(buffers: Uint8Array[]): Uint8Array<ArrayBuffer>;
}

declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertAlmostEquals(actual: number, expected: number, tolerance?: number): void;
  export function assertLess(actual: number, expected: number, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertThrows<E extends Error = Error>(
    run: () => unknown,
    errorClass?: new (...args: never[]) => E,
    messageIncludes?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    run: () => PromiseLike<unknown>,
    errorClass?: new (...args: never[]) => E,
    messageIncludes?: string,
  ): Promise<E>;
}
