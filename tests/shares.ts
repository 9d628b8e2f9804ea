/**
 * Writes modules that load many test files each, into .shares/NAME/: `deno test` starts a thread for every file that it
 * is given and loads all that the file imports anew, which for most files takes longer than their tests.
 *
 *     tests/shares.ts NAME COUNT PATTERN [EXCEPT]
 *
 * The files of tests/ whose names match a regular expression, and not the other, are dealt out to so many modules: the
 * longest first, each to the module that has least so far. How long a file is tells best, short of the times that a
 * table would have to keep, how long its tests take.
 *
 * Of several folders `deno test` begins with those whose names are longer, whatever the order of its arguments: that of
 * the tests that wait more than they compute should be, so that both cores have work to the end.
 */
const [name, count, pattern, except = "^$"] = Deno.args as [string, string, string, string?];
const files = Array.from(Deno.readDirSync("tests"), (it) => it.name)
  .filter((it) => it.endsWith("_test.ts") && new RegExp(pattern).test(it) && !new RegExp(except).test(it))
  .map((name) => ({ name, size: Deno.statSync(`tests/${name}`).size }))
  .sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
const shares = Array.from({ length: Number(count) }, () => ({ names: [] as string[], size: 0 }));
for (const { name, size } of files) {
  const share = shares.reduce((least, it) => it.size < least.size ? it : least);
  share.names.push(name);
  share.size += size;
}
const folder = `.shares/${name}`;
await Deno.remove(folder, { recursive: true }).catch(() => {}); // those of an earlier run may be more
await Deno.mkdir(folder, { recursive: true });
for (const [place, { names }] of shares.entries()) {
  const loading = names.sort().map((it) => `loads("tests/${it}");\nawait import("../../tests/${it}");\n`);
  await Deno.writeTextFile(
    `${folder}/${place + 1}.ts`,
    `import { loads } from "../../tests/harness.ts";\n${loading.join("")}`,
  );
}
