/**
 * Fails if the imports of the repository's files, those of types included, form a cycle or run against the layout:
 * downward only from room to room, and into a face's folder from its face alone.
 *
 *     deno task imports
 */
const ROOT = new URL("..", import.meta.url);

/** The rooms, from top to bottom: a file imports from its own room and from those below. */
const ROOMS: (string | string[])[] = [
  ["tests/", "bench/"],
  "main.ts",
  "commands/",
  "client.ts",
  "client/",
  "cli/",
  // Below nothing touches stdio or ends the process.
  "server.ts",
  "server/",
  "watch.ts",
  "load.ts",
  "load/",
  "ping.ts",
  "report/",
  "probe/",
  "stats/",
  "protocol.ts",
  "protocol/",
  "net/",
  "time/",
  "failure.ts",
];

/** What commands run: none knows another. */
const FACES = ["client", "server", "watch", "load", "ping"];

/** Rooms that do not know each other though one is below the other. */
const STRANGERS = ["stats → net", "stats → protocol", "protocol → net"];

/** Folders that only their face imports, which has the folder's name, and tests. */
const PRIVATE = ["client/", "server/", "load/", "protocol/"];

/** main.ts loads these only when a command needs them: `tsecho --version` waits for nothing. */
const LOADED_LATE = FACES.map((it) => `${it}.ts`);

interface Import {
  target: string;
  /** Whether it is loaded together with the file that imports it. */
  atOnce: boolean;
}

function* sourceFiles(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) yield* sourceFiles(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

const IMPORT =
  /^(?:import|export)\s(?<clause>[^;"()=]*?)(?:from\s*)?"(?<path>\.[^"]+)"|import\(\s*"(?<late>\.[^"]+)"/gm;

function importsOf(file: URL): Import[] {
  return [...Deno.readTextFileSync(file).matchAll(IMPORT)].map(({ groups }) => {
    const { clause, path, late } = groups as { clause?: string; path?: string; late?: string };
    const target = new URL((path ?? late)!, file).href.slice(ROOT.href.length);
    return { target, atOnce: late === undefined && !clause!.startsWith("type ") };
  }).filter(({ target }) => target.endsWith(".ts"));
}

const imports = new Map<string, Import[]>();
for (const file of sourceFiles(ROOT)) imports.set(file.href.slice(ROOT.href.length), importsOf(file));

const faults: string[] = [];

function roomOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/") + 1) : file;
}

function rankOf(file: string): number {
  const rank = ROOMS.findIndex((rooms) => [rooms].flat().includes(roomOf(file)));
  if (rank < 0) throw new Error(`${file} is in no room of tests/check_imports.ts`);
  return rank;
}

/** Why a file must not import another; undefined if it may. */
function faultOf(file: string, target: string): string | undefined {
  const [room, other] = [roomOf(file), roomOf(target)];
  if (room === other || rankOf(file) === 0) return undefined;
  if (rankOf(file) > rankOf(target)) return `which is above it`;
  const [name, otherName] = [room, other].map((it) => it.replace(/\.ts$|\/$/, "")) as [string, string];
  const apart = name !== otherName && FACES.includes(name) && FACES.includes(otherName);
  if (apart || STRANGERS.includes(`${name} → ${otherName}`)) return "which it is not to know";
  if (PRIVATE.includes(other) && name !== otherName) return "which is private to its face";
  return undefined;
}

for (const [file, targets] of imports) {
  for (const { target } of targets) {
    const fault = faultOf(file, target);
    if (fault !== undefined) faults.push(`${file} imports ${target}, ${fault}`);
  }
}

/** Walks on from the end of a path; a file met twice on it closes a cycle. */
const done = new Set<string>();
function walk(path: string[]): void {
  const file = path.at(-1)!;
  const first = path.indexOf(file);
  if (first < path.length - 1) {
    faults.push(`cycle: ${path.slice(first).join(" → ")}`);
  } else if (!done.has(file)) {
    for (const { target } of imports.get(file) ?? []) walk([...path, target]);
    done.add(file);
  }
}
for (const file of imports.keys()) walk([file]);

const atOnce = new Set(["main.ts"]);
for (const file of atOnce) {
  imports.get(file)?.filter((it) => it.atOnce).forEach(({ target }) => atOnce.add(target));
}
for (const face of LOADED_LATE) {
  if (atOnce.has(face)) faults.push(`main.ts loads ${face} whatever the command is`);
}

for (const fault of faults) console.error(fault);
console.log(`${imports.size} files, ${faults.length} faults in their imports`);
Deno.exit(faults.length === 0 ? 0 : 1);
