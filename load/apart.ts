/** What it takes to send from threads whose event loops look at their sockets in time. */
import { Failure, lacking } from "../failure.ts";

/**
 * After how many turns of its event loop a thread looks at its sockets: 61, unless Deno's environment says otherwise when
 * the thread starts. One that waits for moments by turning notices replies that much later.
 */
const INTERVAL = "DENO_TOKIO_EVENT_INTERVAL";
/** A look takes 0.6 µs of the 2 that a turn does. */
const EVERY_TURN = "1";

/** Whether threads can load their modules, and be made to look at their sockets in each turn. Nobody is asked for that. */
export function canSendApart(): boolean {
  const isGranted = (permission: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(permission).state === "granted";
  return isGranted({ name: "env", variable: INTERVAL }) && isGranted({ name: "read" });
}

/** Where the modules of a thread are. */
const MODULES = new URL("..", import.meta.url);

/**
 * Threads load their modules by themselves, and need a permission for files that the main program may lack.
 *
 * @throws Failure that names it.
 */
export function checkModules(): void {
  if (MODULES.protocol !== "file:") return;
  if (Deno.permissions.requestSync({ name: "read", path: MODULES }).state === "granted") return;
  throw new Failure("load", decodeURI(MODULES.pathname), lacking("read"));
}

/**
 * Threads that are started from now on look at their sockets in each turn, or as often as the user has said. It stays so:
 * to take it back would change the environment while other threads read it.
 */
export function lookEveryTurn(): void {
  if (Deno.env.get(INTERVAL) === undefined) Deno.env.set(INTERVAL, EVERY_TURN);
}
