/**
 * Fails if imports form a cycle or run against the layers:
 * `main → commands, cli → server, client, ping → report, probe → stats, protocol, net → kernel, time`.
 * Subcommands never import each other, `net` never imports `protocol`, nor `protocol` or `stats` `net`.
 *
 *     deno task imports
 */
const ROOT = new URL("..", import.meta.url).href;

/** What may be imported from where, beside a layer's own files. */
const ALLOWED: Record<string, string[]> = {
  main: ["cli", "commands", "server", "client", "net"],
  cli: ["commands", "server", "client", "probe", "stats", "protocol", "net", "time"],
  commands: ["cli", "ping", "report", "probe", "stats", "net", "time"],
  server: ["cli", "protocol", "net", "kernel", "time"],
  client: ["cli", "protocol", "net", "kernel", "time"],
  ping: ["cli", "probe", "stats", "net"],
  report: ["cli", "stats", "time"],
  probe: ["cli", "stats", "protocol", "net", "time"],
  stats: [],
  protocol: ["kernel", "time"],
  net: ["time"],
  kernel: [],
  time: [],
};

const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
  args: ["info", "--json", new URL("main.ts", ROOT).href],
}).output();
if (code !== 0) {
  console.error(new TextDecoder().decode(stderr));
  Deno.exit(1);
}
const graph: { modules: { specifier: string }[] } = JSON.parse(new TextDecoder().decode(stdout));
const local = (specifier: string | undefined) =>
  specifier?.startsWith(ROOT) && specifier.endsWith(".ts") ? specifier.slice(ROOT.length) : undefined;

// Imports of types alone are read from the source: a graph of what runs does not have them all.
const imports = new Map<string, string[]>();
for (const { specifier } of graph.modules) {
  const file = local(specifier);
  if (file === undefined) continue;
  const source = Deno.readTextFileSync(new URL(specifier));
  const targets = [...source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)]
    .map(([, target]) => local(new URL(target!, specifier).href)).filter((target) => target !== undefined);
  imports.set(file, targets);
}

const faults: string[] = [];
const layer = (file: string) =>
  file.includes("/") ? file.slice(0, file.indexOf("/")) : file.replace(/\.ts$/, "");
for (const [file, targets] of imports) {
  for (const target of targets) {
    const [from, to] = [layer(file), layer(target)];
    if (from !== to && !ALLOWED[from]?.includes(to)) faults.push(`${file} must not import ${target}`);
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
    for (const target of imports.get(file) ?? []) walk([...path, target]);
    done.add(file);
  }
}
for (const file of imports.keys()) walk([file]);

for (const fault of faults) console.error(fault);
console.log(`${imports.size} files, ${faults.length} faults in their imports`);
Deno.exit(faults.length === 0 ? 0 : 1);
