/**
 * Writes modules that load many test files each, into .shares/NAME/: `deno test` starts a thread for every file that it
 * is given and loads all that the file imports anew, which for most files takes longer than their tests.
 *
 *     tests/shares.ts NAME COUNT PATTERN [EXCEPT]
 *
 * The files of tests/ whose names match a regular expression, and not the other, are dealt out to so many modules.
 */
const [name, count, pattern, except = "^$"] = Deno.args as [string, string, string, string?];
const files = Array.from(Deno.readDirSync("tests"), (it) => it.name)
  .filter((it) => it.endsWith("_test.ts") && new RegExp(pattern).test(it) && !new RegExp(except).test(it))
  .sort();
const folder = `.shares/${name}`;
await Deno.remove(folder, { recursive: true }).catch(() => {}); // those of an earlier run may be more
await Deno.mkdir(folder, { recursive: true });
for (let share = 0; share < Number(count); share++) {
  const loading = files.filter((_, place) => place % Number(count) === share)
    .map((file) => `loads("tests/${file}");\nawait import("../../tests/${file}");\n`);
  await Deno.writeTextFile(
    `${folder}/${share + 1}.ts`,
    `import { loads } from "../../tests/harness.ts";\n${loading.join("")}`,
  );
}
