/**
 * Fails if the imports of the repository's files, those of types included, form a cycle or run against the layout:
 * downward only from room to room, and into a face's folder from its face alone.
 *
 *     deno task imports
 */
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
  "ping.ts",
  "load.ts",
  "load/",
  "watch.ts",
  "report/",
  "probe/",
  "stats/",
  "protocol.ts",
  "protocol/",
  "net/",
  "time/",
  "failure.ts",
  "std.d.ts",
];

/** What commands run: none knows another. */
const FACES = ["client", "server", "watch", "load", "ping"];

/** Rooms that do not know each other though one is below the other. */
const STRANGERS = ["stats → net", "stats → protocol", "protocol → net"];

/** Folders that only their face imports, which has the folder's name, and tests. */
const PRIVATE = ["client/", "server/", "load/", "protocol/"];

/** main.ts loads these only when a command needs them: `tsecho --version` waits for nothing. */
const LOADED_LATE = [...FACES.map((it) => `${it}.ts`), "report/page/document.ts"];

/**
 * What only some rooms may use: below cli/ nothing touches stdio, and main.ts alone ends the process. What the libraries
 * say names no option: people read it who call a function.
 */
const RESERVED: [pattern: RegExp, rooms: string[]][] = [
  [/\bDeno\.(?:args|exit|addSignalListener)\b/, ["tests/", "bench/", "main.ts"]],
  [/\bDeno\.(?:stdin|stdout|stderr)\b|\bconsole\.|\bprompt\(/, [
    ...["tests/", "bench/", "main.ts", "commands/", "client.ts", "client/", "cli/"],
  ]],
  [/(?<=["'`](?:[^"'`\n]*[^-\w"'`\n])?)--[a-z][a-z-]+/, [
    ...["tests/", "bench/", "main.ts", "commands/", "client.ts", "client/", "cli/", "report/"],
  ]],
];

interface Import {
  target: string;
  /** Whether it is loaded together with the file that imports it. */
  atOnce: boolean;
}

const IMPORT =
  /^(?:import|export)\s(?<clause>[^;"()=]*?)(?:from\s*)?"(?<path>\.[^"]+)"|import\(\s*"(?<late>\.[^"]+)"/gm;

function importsOf(file: string, source: string): Import[] {
  return [...source.matchAll(IMPORT)].map(({ groups }) => {
    const { clause, path, late } = groups as { clause?: string; path?: string; late?: string };
    const target = new URL((path ?? late)!, `file:///${file}`).pathname.slice(1);
    return { target, atOnce: late === undefined && !clause!.startsWith("type ") };
  }).filter(({ target }) => target.endsWith(".ts"));
}

function roomOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/") + 1) : file;
}

/** The place of a file's room in the list; -1 for a file that is in none. */
function rankOf(file: string): number {
  return ROOMS.findIndex((rooms) => [rooms].flat().includes(roomOf(file)));
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

function cyclesOf(imports: ReadonlyMap<string, Import[]>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  /** Walks on from the end of a path; a file met twice on it closes a cycle. */
  const walk = (path: string[]) => {
    const file = path.at(-1)!;
    const first = path.indexOf(file);
    if (first < path.length - 1) {
      cycles.push(`cycle: ${path.slice(first).join(" → ")}`);
    } else if (!done.has(file)) {
      for (const { target } of imports.get(file) ?? []) walk([...path, target]);
      done.add(file);
    }
  };
  for (const file of imports.keys()) walk([file]);
  return cycles;
}

/** What is against the layout, a line each, in the files of a repository: their text by their path from its root. */
export function faultsOf(files: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const imports = new Map<string, Import[]>();
  for (const [file, source] of files) {
    imports.set(file, importsOf(file, source));
    if (rankOf(file) < 0) faults.push(`${file} is in no room`);
    for (const [pattern, rooms] of RESERVED) {
      const found = pattern.exec(source.replaceAll(/\/\*.*?\*\/|\/\/.*$/gms, ""));
      if (found !== null && !rooms.includes(roomOf(file))) faults.push(`${file} uses ${found[0]}`);
    }
  }
  for (const [file, targets] of imports) {
    for (const { target } of targets) {
      const fault = faultOf(file, target);
      if (fault !== undefined) faults.push(`${file} imports ${target}, ${fault}`);
    }
  }
  const atOnce = new Set(["main.ts"]);
  for (const file of atOnce) {
    imports.get(file)?.filter((it) => it.atOnce).forEach(({ target }) => atOnce.add(target));
  }
  for (const face of LOADED_LATE) {
    if (atOnce.has(face)) faults.push(`main.ts loads ${face} whatever the command is`);
  }
  return [...faults, ...cyclesOf(imports)];
}

function* sourceFiles(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) yield* sourceFiles(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

if (import.meta.main) {
  const root = new URL("..", import.meta.url);
  const files = new Map<string, string>();
  for (const file of sourceFiles(root)) {
    files.set(file.href.slice(root.href.length), Deno.readTextFileSync(file));
  }
  const faults = faultsOf(files);
  for (const fault of faults) console.error(fault);
  console.log(`${files.size} files, ${faults.length} faults in their imports`);
  Deno.exit(faults.length === 0 ? 0 : 1);
}
